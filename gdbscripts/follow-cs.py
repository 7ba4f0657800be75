# Lets gdb follow a task that changes between 64-bit and 32-bit code.
#
# gdb reads a target description once and keeps it. compat-gdbserver serves the one that fits CS at the moment of the
# reading, and goes on answering in its layout until gdb reads again. "unset tdesc filename" makes gdb read again, without
# a reconnect: this script types it whenever $cs and gdb's architecture disagree.
import gdb

VIEWS = {0x23: "i386", 0x33: "i386:x86-64"}


def selected_architecture():
    """What gdb thinks of the selected frame, and what CS says."""
    try:
        cs = int(gdb.newest_frame().read_register("cs"))
        return gdb.selected_inferior().architecture().name(), cs & 0xFFFF
    except (gdb.error, ValueError):
        return None, None


def follow(show):
    if gdb.selected_thread() is None or gdb.selected_thread().is_running():
        return False
    name, cs = selected_architecture()
    wanted = VIEWS.get(cs)
    if wanted is None or name == wanted or (cs == 0x23 and name == "i386:intel"):
        return False
    gdb.execute("unset tdesc filename", to_string=True)
    print("[CS is 0x%x: gdb follows as %s]" % (cs, wanted))
    if show:
        try:
            gdb.execute("x/i $pc")
        except gdb.error:
            pass
    return True


def on_stop(_event):
    follow(True)


def on_prompt():
    follow(True)


class FollowCs(gdb.Command):
    """Read the register layout that fits the selected thread's CS (done by itself at each stop)."""

    def __init__(self):
        super().__init__("follow-cs", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        if not follow(True):
            name, cs = selected_architecture()
            print("CS is %s: gdb is in step with it (%s)" % ("unknown" if cs is None else hex(cs), name))


FollowCs()
gdb.events.stop.connect(on_stop)
gdb.events.before_prompt.connect(on_prompt)
# A call through a 32-bit pointer, moved elsewhere by displaced stepping in the 64-bit view, would be a RIP-relative one.
gdb.execute("set displaced-stepping off", to_string=True)
