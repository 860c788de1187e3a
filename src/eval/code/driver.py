"""Runs a solution on tests, inside the sandbox. Compiled into the program by cmake/code_driver.cmake; started with
`python3 -I -B -S -c` by src/eval/code/code_runner.cpp, which has the protocol's other side and appends
driver_asserts.py or driver_project.py where they are needed, and a call of main(). Half of a short test's time is the start of
Python: this file imports neither site nor json, enum or re.

Standard input is a sequence of frames: 16 hexadecimal digits, the length, then the bytes. The first is a JSON object, the
second the solution; the others are tests. Standard output is a sequence of results: a line of JSON, then `bytes` bytes of
output. Nothing here knows an expected output. The solution runs in processes of its own, which have neither this
process's descriptors nor tests that come later; there is no /proc, and the filter refuses ptrace, so that it cannot reach
this process but by signals, and those end the run without a result.
"""
import _signal as signal  # the module signal wraps it in enumerations
import os
import resource
import sys
import time

SOURCE = 0
RESULT_DESCRIPTOR = 3  # of a solution's process, for the values of functions
MAX_VALUE_BYTES = 64 << 20


def read_exactly(descriptor, size):
    pieces = []
    while size > 0:
        piece = os.read(descriptor, min(size, 1 << 20))
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def write_all(descriptor, data):
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_frame():
    """Unbuffered: a process that is forked later must not find tests in a buffer."""
    return read_exactly(SOURCE, int(read_exactly(SOURCE, 16), 16))


def scratch_file(data=b""):
    """A file without a name in the work folder, whose size is limited."""
    descriptor = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
    write_all(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def content(descriptor, limit, tail=False):
    size = os.fstat(descriptor).st_size
    start = max(0, size - limit) if tail else 0
    os.lseek(descriptor, start, os.SEEK_SET)
    pieces = []
    while limit > 0:
        piece = os.read(descriptor, min(limit, 1 << 20))
        if not piece:
            break
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def set_limit(kind, value):
    soft, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def add_site():
    """What programs use of the module site: installed packages, exit() and quit()."""
    import _sitebuiltins
    import builtins

    version = "python%d.%d" % sys.version_info[:2]
    for folder in ("/usr/local/lib/%s/dist-packages", "/usr/lib/python3/dist-packages", "/usr/lib/%s/site-packages"):
        folder = folder.replace("%s", version)
        if os.path.isdir(folder):
            sys.path.append(folder)
    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")


def read_json(text):
    """JSON that this program wrote, with letters beyond ASCII as they are: it is an expression of Python, too."""
    return eval(text, {"__builtins__": {}, "true": True, "false": False, "null": None})


def json_text(text):
    units = memoryview(text.encode("utf-16-le", "replace")).cast("H")
    plain = lambda unit: 32 <= unit < 127 and unit not in b'"\\'
    return '"%s"' % "".join(chr(unit) if plain(unit) else "\\u%04x" % unit for unit in units)


class Limits:
    def __init__(self, fields):
        self.cpu = fields["cpu_seconds"]
        self.wall = fields["wall_seconds"]
        self.memory = fields["memory_bytes"]
        self.output = fields["output_bytes"]

    def apply(self):
        set_limit(resource.RLIMIT_CPU, int(self.cpu) + 1)
        set_limit(resource.RLIMIT_AS, self.memory)
        set_limit(resource.RLIMIT_FSIZE, self.output)


class Child:
    """A process of the solution. `start` is called in it and never returns."""

    def __init__(self, start, limits, stdin=b"", keep=()):
        self.limits = limits
        descriptors = []
        try:
            for data in (stdin, b"", b""):
                descriptors.append(scratch_file(data))
            self.pid = os.fork()
            if self.pid == 0:
                become(start, limits, descriptors, keep)
        finally:
            if len(descriptors) == 3:
                self.output, self.messages = descriptors[1:]
                del descriptors[1:]
            for descriptor in descriptors:
                os.close(descriptor)

    def wait(self):
        """Waits within the wall time, ends whatever is left of it, and says how it ended: (end, message)."""
        deadline = time.monotonic() + self.limits.wall
        status = None
        while status is None:
            left = deadline - time.monotonic()
            if left <= 0:
                os.kill(self.pid, signal.SIGKILL)
                _, status, usage = os.wait4(self.pid, 0)
                return self.ended("time", "wall time")
            signal.sigtimedwait([signal.SIGCHLD], min(left, 0.1))
            pid, found, usage = os.wait4(self.pid, os.WNOHANG)
            if pid == self.pid:
                status = found
        return self.ended(*self.classify(status, usage))

    def ended(self, end, message):
        kill_others()
        return end, message

    def classify(self, status, usage):
        cpu = usage.ru_utime + usage.ru_stime
        signal_number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if cpu > self.limits.cpu or signal_number == signal.SIGXCPU:
            return "time", "%.1f s" % cpu
        size = os.fstat(self.output).st_size
        if size >= self.limits.output or signal_number == signal.SIGXFSZ:
            return "output", ""
        if status == 0:
            return "ok", ""
        text = content(self.messages, 1 << 16, tail=True)
        lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
        last = lines[-1].strip()[:200] if lines else ""
        if (
            b"MemoryError" in text
            or b"std::bad_alloc" in text
            or b"Cannot allocate memory" in text
            or usage.ru_maxrss * 1024 > 0.9 * self.limits.memory
        ):
            return "memory", last
        if signal_number:
            return "error", "signal %d" % signal_number + (": " + last if last else "")
        return "error", last or "exit status %d" % os.WEXITSTATUS(status)

    def close(self):
        os.close(self.output)
        os.close(self.messages)


def become(start, limits, descriptors, keep):
    code = 126
    try:
        # Out of the way first: the numbers may overlap.
        high = [os_dup_high(d) for d in list(descriptors) + list(keep)]
        for number, descriptor in enumerate(high):
            os.dup2(descriptor, number)
        os.closerange(len(high), 64)
        os.setsid()
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        limits.apply()
        code = start()
    except BaseException:  # reported like any error of a program
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        os._exit(code if isinstance(code, int) and 0 <= code < 256 else 1)


def os_dup_high(descriptor):
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD, 32)


def kill_others():
    """Ends what a test has left behind. All processes of the name space but the first and this one."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


# --- the solution's side: what runs in a Child ---


def fresh_main(preamble=""):
    import types

    module = types.ModuleType("__main__")
    module.__file__ = "solution.py"
    sys.modules["__main__"] = module
    sys.argv = ["solution.py"]
    if preamble:
        exec(preamble, module.__dict__)
    return module.__dict__


def finish():
    """What the interpreter does at the end of a program: threads, handlers, buffers."""
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    import atexit

    atexit._run_exitfuncs()
    sys.stdout.flush()


def run_python_program(code, preamble):
    """LiveCodeBench's rule: a program that calls exit() has ended well, whatever the status."""
    try:
        exec(code, fresh_main(preamble))
    except SystemExit:
        pass
    finish()
    return 0


def run_program(command, _):
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    stack = 256 << 20
    if hard != resource.RLIM_INFINITY:
        stack = min(stack, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))
    os.execv(command[0], command)


def find_function(names, entry):
    """The function `entry`, or a method of that name of class Solution."""
    if "Solution" in names and hasattr(names["Solution"], entry):
        return getattr(names["Solution"](), entry)
    if entry not in names:
        raise NameError("the solution defines no %s" % entry)
    return names[entry]


def run_function(code, preamble, entry, arguments):
    """LiveCodeBench's functional tests: one JSON argument a line; the value is written as JSON."""
    import json

    names = fresh_main(preamble)
    exec(code, names)
    values = [json.loads(line) for line in arguments.decode().split("\n") if line.strip()]
    value = find_function(names, entry)(*values)
    write_all(RESULT_DESCRIPTOR, json.dumps(value).encode())
    return 0


# --- the driver's side ---


class Driver:
    def __init__(self):
        # Standard output stays with this process alone, under a number that children close.
        self.channel = os_dup_high(1)
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.close(null)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        # A test's output file may be full: an error here, not the end.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.header = read_json(read_frame())
        self.limits = Limits(self.header)
        self.code = read_frame()

    def report(self, test, end, message="", output=b""):
        line = '{"test": %d, "end": "%s", "message": %s, "bytes": %d}\n'
        write_all(self.channel, (line % (test, end, json_text(message), len(output))).encode() + output)

    def run(self):
        mode = self.header["mode"]
        if mode == "project":
            return run_commands(self)
        compiled = self.compile_cpp() if self.header["language"] == "cpp" else self.compile_python()
        if compiled is None:
            return None
        self.report(-1, "compiled")
        if mode == "asserts":
            return run_asserts(self, compiled)
        exec(self.header["preamble"], {})  # imports its modules once, for all tests
        for test in range(self.header["tests"]):
            if not self.run_test(test, mode, compiled, read_frame()):
                break
        return None

    def compile_python(self):
        try:
            return compile(self.code, "solution.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            self.report(-1, "compile", "%s: %s" % (type(error).__name__, str(error)[:200]))
            return None

    def compile_cpp(self):
        with open("solution.cpp", "wb") as file:
            file.write(self.code)
        fields = dict(self.header)
        fields.update(cpu_seconds=30, wall_seconds=180, memory_bytes=3 << 30, output_bytes=64 << 20)
        command = ["/usr/bin/g++", "-std=gnu++20", "-O2", "-w", "solution.cpp", "-o", "solution"]
        child = Child(lambda: os.execv(command[0], command), Limits(fields))
        end, message = child.wait()
        text = content(child.messages, 1 << 16).decode("utf-8", "replace")
        child.close()
        if end == "ok":
            return ["/scratch/solution"]
        errors = [line for line in text.splitlines() if "error" in line]
        self.report(-1, "compile", errors[0][:200] if errors and end == "error" else (message or end))
        return None

    def run_test(self, test, mode, compiled, data):
        header = self.header
        if mode == "function":
            result = scratch_file()
            start = lambda: run_function(compiled, header["preamble"], header["entry"], data)
            child = Child(start, self.limits, keep=(result,))
        else:
            python = header["language"] == "python"
            run = run_python_program if python else run_program
            child = Child(lambda: run(compiled, header["preamble"]), self.limits, data)
        end, message = child.wait()
        output = b""
        if end == "ok":
            output = content(result if mode == "function" else child.output, self.limits.output)
        child.close()
        if mode == "function":
            os.close(result)
        self.report(test, end, message, output)
        return end == "ok"


def main():
    if os.getpid() > 8 or os.getppid() != 1:  # kill_others() must never run outside a name space of its own
        sys.exit("driver: not in a sandbox")
    add_site()
    Driver().run()
