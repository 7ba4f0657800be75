# One file to source:  gdb -x gdbscripts/connect.gdb
# The port is $port if it was set before ("set $port = 4000"), else 1234.
set pagination off
set confirm off
# Programs of the guest lie in the guest: their files come through the connection.
set sysroot target:
set displaced-stepping off
set breakpoint pending on
set disassemble-next-line auto
set remotetimeout 30
python
import os
import re


def compat_scripts():
    """The directory of this file: gdb does not say, so look through the command line, what was typed, and nearby."""
    words = open("/proc/self/cmdline").read().split("\0") if os.path.exists("/proc/self/cmdline") else []
    words += re.split(r"\s+", " ".join(words)) + re.split(r"\s+", gdb.execute("show commands", to_string=True))
    places = [os.path.dirname(os.path.expanduser(w)) or "." for w in words if w.endswith("connect.gdb")]
    for place in places + ["gdbscripts", "."]:
        if os.path.exists(os.path.join(place, "follow-cs.py")):
            return place
    return None


_place = compat_scripts()
if _place is None:
    print("connect.gdb: follow-cs.py, vdso.py and restorer.py are not found; source them by their paths")
else:
    for _name in ("follow-cs.py", "vdso.py", "restorer.py"):
        gdb.execute("source " + os.path.join(_place, _name))
    # The sources of the restorer blob, beside this directory.
    _sources = os.path.normpath(os.path.join(_place, "..", "criu", "restorer"))
    if os.path.isdir(_sources):
        gdb.execute("directory " + _sources, to_string=True)
end
if $_isvoid($port)
  set $port = 1234
end
eval "target remote 127.0.0.1:%d", $port
python
if _place is not None:
    gdb.execute("restorer-symbols")
    RESTORED.update()
end
frame
