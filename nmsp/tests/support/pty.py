"""Runs a program on a terminal of its own and says how it leaves it.

pty.py SIGNAL PROGRAM ARGUMENT...: when the program has drawn on the alternate screen, sends it SIGNAL (or nothing, for
"none"), waits for its end, and prints one JSON object.
"""

import fcntl, json, os, pty, select, signal, struct, subprocess, sys, termios, time

PATIENCE = 30
name, command = sys.argv[1], sys.argv[2:]
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
before = termios.tcgetattr(slave)


def take_terminal():
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


environment = dict(os.environ, TERM="xterm-256color")
child = subprocess.Popen(
    command, stdin=slave, stdout=slave, stderr=slave, preexec_fn=take_terminal, env=environment
)
output, raw, sent, end = b"", False, False, time.monotonic() + PATIENCE
while True:
    readable, _, _ = select.select([master], [], [], 0.05)
    if readable:
        output += os.read(master, 65536)
    elif child.poll() is not None:
        break
    # The first frame hides the cursor.
    if b"\x1b[?1049h" in output and b"\x1b[?25l" in output and not sent:
        raw = not termios.tcgetattr(slave)[3] & termios.ICANON
        if raw:
            sent = True
            if name != "none":
                child.send_signal(getattr(signal, name))
    if time.monotonic() > end:
        child.kill()
        break
print(
    json.dumps(
        {
            "status": child.wait(),
            "was_raw": raw,
            "same_settings": termios.tcgetattr(slave) == before,
            "after_screen": output.rpartition(b"\x1b[?1049l")[2].decode(errors="replace"),
            "left_screen": output.count(b"\x1b[?1049l") >= output.count(b"\x1b[?1049h") > 0,
            "cursor_shown": output.rfind(b"\x1b[?25h") > output.rfind(b"\x1b[?25l"),
            "output": output.decode(errors="replace")[-2000:],
        }
    )
)
