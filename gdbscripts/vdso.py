# Symbols of the vDSO at its present place.
#
# gdb reads the vDSO once, when it connects. A restore maps another one (ARCH_MAP_VDSO_32) and moves it (mremap); this
# script looks at each stop where [vdso] lies and reads its symbols again if it is somewhere else than before.
# It needs an exec-file of the same class as a template: compat-gdbserver names the restored program from the start.
import re

import gdb


def mapped_vdso():
    """Address of [vdso] in the selected process, or None."""
    try:
        text = gdb.execute("info proc mappings", to_string=True)
    except gdb.error:
        return None
    for line in text.splitlines():
        match = re.match(r"\s*(0x[0-9a-f]+)\s.*\[vdso\]$", line)
        if match:
            return int(match.group(1), 16)
    return None


def class_of_exec_file():
    """1 for ELF32, 2 for ELF64, as in e_ident."""
    match = re.search(r"file type elf(32|64)-", gdb.execute("info files", to_string=True))
    return None if match is None else (1 if match.group(1) == "32" else 2)


def class_at(address):
    try:
        head = bytes(gdb.selected_inferior().read_memory(address, 5))
    except gdb.error:
        return None
    return head[4] if head[:4] == b"\x7fELF" else None


class Vdso(gdb.Command):
    """Read the symbols of the vDSO at its present place (done by itself at each stop)."""

    def __init__(self):
        super().__init__("vdso", gdb.COMMAND_FILES)
        self.known = {}

    def invoke(self, argument, from_tty):
        address = mapped_vdso()
        if address is None:
            print("No vDSO is mapped.")
        elif not self.update(True):
            state = "read" if self.known.get(gdb.selected_inferior().num) == address else "of another class than the exec-file"
            print("The vDSO at 0x%x is %s." % (address, state))

    def update(self, always=False):
        inferior = gdb.selected_inferior()
        if inferior.pid == 0 or gdb.selected_thread() is None:
            return False
        address = mapped_vdso()
        old = self.known.get(inferior.num)
        if address is None or address == old:
            return False
        name = "system-supplied DSO at 0x%x" % address
        if any(objfile.filename == name for objfile in gdb.objfiles()):
            self.known[inferior.num] = address
            return False
        if class_at(address) is None or class_at(address) != class_of_exec_file():
            return False
        self.forget(old)
        try:
            gdb.execute("add-symbol-file-from-memory 0x%x" % address, to_string=True)
        except gdb.error as error:
            if always:
                print("vDSO at 0x%x: %s" % (address, error))
            return False
        self.known[inferior.num] = address
        print("[vDSO symbols read at 0x%x]" % address)
        return True

    def forget(self, address):
        if address is None:
            return
        try:
            gdb.execute("remove-symbol-file -a 0x%x" % address, to_string=True)
        except gdb.error:
            pass


VDSO = Vdso()
# A prompt comes after all stop handlers, so the architecture has been followed by then.
gdb.events.before_prompt.connect(VDSO.update)
gdb.events.stop.connect(lambda _event: VDSO.update())
