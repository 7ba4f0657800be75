# Symbols of the restorer blob: the server says where it lies.
import re

import gdb


class RestorerSymbols(gdb.Command):
    """Read the symbols of CRIU's restorer blob, at the place where the server put it."""

    def __init__(self):
        super().__init__("restorer-symbols", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        try:
            text = gdb.execute("monitor symbols", to_string=True)
        except gdb.error as error:
            print("restorer-symbols: %s" % error)
            return
        for line in text.splitlines():
            if re.match(r"add-symbol-file \S+ -o 0x[0-9a-f]+$", line):
                gdb.execute(line, to_string=True)


RestorerSymbols()
