"""The part of driver.py for tests that are code: they run in the driver's process, the solution in another that answers calls."""
import json

# --- values between a test and a solution: plain ones, so that neither can run code in the other ---


class NotPlain(Exception):
    pass


def encode(value, depth=0):
    kind = type(value)
    if depth > 200:
        raise NotPlain("a value nested more than 200 levels")
    if value is None or kind in (bool, str):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return value if -(1 << 62) < value < 1 << 62 else {"t": "int", "v": hex(value)}
    if isinstance(value, float):
        return float(value)
    if isinstance(value, complex):
        return {"t": "complex", "v": [value.real, value.imag]}
    if isinstance(value, (bytes, bytearray)):
        return {"t": kind.__name__, "v": value.decode("latin-1")}
    nested = lambda values: [encode(each, depth + 1) for each in values]
    if isinstance(value, list):
        return nested(value)
    for name, base in (("tuple", tuple), ("set", set), ("frozenset", frozenset)):
        if isinstance(value, base):
            return {"t": name, "v": nested(value)}
    if isinstance(value, dict):
        return {"t": "dict", "v": [nested(pair) for pair in value.items()]}
    if isinstance(value, range):
        return {"t": "range", "v": [value.start, value.stop, value.step]}
    if kind.__name__ == "deque" and kind.__module__ == "collections":
        return {"t": "deque", "v": nested(value)}
    if kind.__name__ in ("Decimal", "Fraction") and kind.__module__ in ("decimal", "fractions"):
        return {"t": kind.__name__, "v": str(value)}
    if hasattr(value, "__next__"):
        import itertools

        taken = list(itertools.islice(value, 1000001))
        if len(taken) > 1000000:
            raise NotPlain("an iterator of more than 1,000,000 values")
        return {"t": "iterator", "v": nested(taken)}
    raise NotPlain("a value of type %s" % kind.__name__)


def decode(value):
    if isinstance(value, list):
        return [decode(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind, inner = value["t"], value["v"]
    if kind == "int":
        return int(inner, 16)
    if kind == "complex":
        return complex(*inner)
    if kind in ("bytes", "bytearray"):
        return {"bytes": bytes, "bytearray": bytearray}[kind](inner.encode("latin-1"))
    if kind == "range":
        return range(*inner)
    if kind == "Decimal":
        import decimal

        return decimal.Decimal(inner)
    if kind == "Fraction":
        import fractions

        return fractions.Fraction(inner)
    values = [decode(each) for each in inner]
    if kind == "dict":
        return dict((key, each) for key, each in values)
    if kind == "deque":
        import collections

        return collections.deque(values)
    return {"tuple": tuple, "set": set, "frozenset": frozenset, "iterator": iter}[kind](values)


def send_value(descriptor, value):
    data = json.dumps(value).encode()
    write_all(descriptor, b"%016x" % len(data) + data)


def receive_value(descriptor):
    size = int(read_exactly(descriptor, 16), 16)
    if not 0 <= size <= MAX_VALUE_BYTES:
        raise ValueError("a value of %d bytes" % size)
    return json.loads(read_exactly(descriptor, size))


def serve_calls(code, preamble, entry):
    """Answers a tester's calls of the solution's function: requests from descriptor 3, replies to 4."""
    names = fresh_main(preamble)
    try:
        exec(code, names)
        function = find_function(names, entry)
        problem = None
    except BaseException as error:
        problem = error
    while True:
        try:
            positional, named = decode(receive_value(3))
        except EOFError:
            return 0
        try:
            if problem is not None:
                raise problem
            reply = {"value": encode(function(*positional, **named))}
        except NotPlain as error:
            reply = {"error": "TypeError", "message": "returned %s" % error}
        except BaseException as error:
            try:
                text = str(error)[:500]
            except BaseException:
                text = ""
            reply = {"error": type(error).__name__, "message": text}
        send_value(4, reply)


# --- the driver's side ---


class TimeLimit(BaseException):
    pass


class SolutionError(Exception):
    """An error that the solution raised, or its end."""


class Unsupported(BaseException):
    """The test needs what a separate process cannot give."""


def raised_by_solution(name, message):
    """An exception of the solution as one of the same built-in type, so that a test can expect it."""
    import builtins

    kind = getattr(builtins, name, None) if isinstance(name, str) else None
    if not (isinstance(kind, type) and issubclass(kind, Exception)) or kind is AssertionError:
        return SolutionError("%s: %s" % (name, message))
    try:
        error = kind(message)
    except TypeError:
        return SolutionError("%s: %s" % (name, message))
    error.of_solution = True
    return error


def run_asserts(driver, compiled):
    """The test's code runs here, the solution in a process of its own that answers calls."""
    header = driver.header
    request, to_child = os.pipe()
    from_child, reply = os.pipe()
    start = lambda: serve_calls(compiled, header["preamble"], header["entry"])
    child = Child(start, driver.limits, keep=(request, reply))
    os.close(request)
    os.close(reply)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def call(*positional, **named):
        try:
            arguments = encode([list(positional), named])
        except NotPlain as error:
            raise Unsupported("the test passes %s" % error)
        try:
            send_value(to_child, arguments)
            answer = receive_value(from_child)
            if "value" in answer:
                return decode(answer["value"])
        except (OSError, EOFError, ValueError, TypeError, KeyError, RecursionError):
            raise SolutionError("the solution ended or gave no value")
        raise raised_by_solution(answer.get("error"), answer.get("message"))

    def too_late(*_):
        raise TimeLimit

    test = read_frame()  # only now: the solution's process must not have it
    signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, driver.limits.wall)
    end, message = "ok", ""
    try:
        names = {"__name__": "test"}
        exec(header["test_preamble"], names)
        names[header["entry"]] = call
        exec(compile(test, "test.py", "exec", dont_inherit=True), names)
        if "check" in names and header["entry"] != "check":
            names["check"](call)
    except TimeLimit:
        end = "time"
    except Unsupported as error:
        end, message = "unsupported", str(error)
    except AssertionError as error:
        end, message = "wrong", str(error)[:200]
    except SolutionError as error:
        end, message = "error", str(error)[:200]
    except BaseException as error:
        text = "%s: %s" % (type(error).__name__, str(error)[:200])
        end, message = "error", text if getattr(error, "of_solution", False) else "in the test: " + text
    signal.setitimer(signal.ITIMER_REAL, 0)
    os.close(to_child)
    if end == "error":
        end, message = why_ended(child, end, message)
    kill_others()
    driver.report(0, end, message)


def why_ended(child, end, message):
    """A solution's process that ended by itself has reached a limit, perhaps."""
    time.sleep(0.01)
    pid, status, usage = os.wait4(child.pid, os.WNOHANG)
    if pid == 0:
        return ("memory", message) if message.startswith("MemoryError") else (end, message)
    found, text = child.classify(status, usage)
    return (end, message) if found == "ok" else (found, text)
