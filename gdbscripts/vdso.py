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


def named_by_auxv():
    """AT_SYSINFO_EHDR, where the program itself looks: CRIU leaves the dumped vDSO there, with jumps into the mapped one."""
    try:
        match = re.search(r"AT_SYSINFO_EHDR .*(0x[0-9a-f]+)$", gdb.execute("info auxv", to_string=True), re.M)
    except gdb.error:
        return None
    return int(match.group(1), 16) if match else None


def from_server(address):
    """The server has the image as a file: for a vDSO whose header CRIU has overwritten with its mark."""
    try:
        text = gdb.execute("monitor symbols", to_string=True)
    except gdb.error:
        return None
    match = re.search(r"^add-symbol-file target:/@vdso/\S+ -o 0x%x$" % address, text, re.M)
    return match.group(0) if match else None


class Vdso(gdb.Command):
    """Read the symbols of the vDSO at its present place (done by itself at each stop)."""

    def __init__(self):
        super().__init__("vdso", gdb.COMMAND_FILES)
        # By inferior: the places whose symbols gdb has read on our word.
        self.known = {}

    def invoke(self, argument, from_tty):
        self.update(True)
        places = [a for a in (mapped_vdso(), named_by_auxv()) if a is not None]
        known = self.known.get(gdb.selected_inferior().num, set())
        for address in sorted(set(places)):
            state = "read" if address in known else "not read (the exec-file is of another class)"
            print("vDSO at 0x%x: %s" % (address, state))
        if not places:
            print("No vDSO is mapped.")

    def update(self, verbose=False):
        inferior = gdb.selected_inferior()
        if inferior.pid == 0 or gdb.selected_thread() is None or gdb.selected_thread().is_running():
            return
        known = self.known.setdefault(inferior.num, set())
        present = {a for a in (mapped_vdso(), named_by_auxv()) if a is not None}
        for address in sorted(known - present):
            self.forget(address)
            known.discard(address)
        for address in sorted(present - known):
            if self.read(address, verbose):
                known.add(address)

    def read(self, address, verbose):
        """True if gdb has the symbols now."""
        name = "system-supplied DSO at 0x%x" % address
        if any(objfile.filename == name for objfile in gdb.objfiles()):
            return True
        command = "add-symbol-file-from-memory 0x%x" % address
        if class_at(address) is None:
            command = from_server(address)
        elif class_at(address) != class_of_exec_file():
            return False
        if command is None:
            return False
        try:
            gdb.execute(command, to_string=True)
        except gdb.error as error:
            if verbose:
                print("vDSO at 0x%x: %s" % (address, error))
            return False
        print("[vDSO symbols read at 0x%x]" % address)
        return True

    def forget(self, address):
        try:
            gdb.execute("remove-symbol-file -a 0x%x" % address, to_string=True)
        except gdb.error:
            pass


VDSO = Vdso()
# A prompt comes after all stop handlers, so the architecture has been followed by then.
gdb.events.before_prompt.connect(lambda: VDSO.update())
gdb.events.stop.connect(lambda _event: VDSO.update())
