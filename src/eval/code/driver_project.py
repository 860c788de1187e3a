"""The part of driver.py for projects: files, then commands of a shell in their folder."""


def run_commands(driver):
    """Files, then commands of a shell in their folder; each command has a result with its output."""
    try:
        prepare(driver, "project")
    except (OSError, EOFError) as error:  # shutil.Error is an OSError
        return driver.report(-1, "error", str(error)[:300])
    driver.report(-1, "compiled")
    for test, command in enumerate(driver.header["commands"]):

        def start():
            os.chdir("project")
            os.dup2(1, 2)
            os.execv("/usr/bin/sh", ["sh", "-c", command])

        child = Child(start, driver.limits)
        end, message = child.wait()
        output = content(child.output, driver.header["shown_bytes"], tail=True)
        child.close()
        driver.report(test, end, message, output)


def prepare(driver, folder):
    header = driver.header
    if header["copy"]:
        import shutil

        shutil.copytree(header["copy"], folder, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    os.makedirs(folder, exist_ok=True)
    for name in header["files"]:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        data = read_frame()
        with open(path, "wb") as file:
            file.write(data)
    for name in header["removed"]:
        os.remove(os.path.join(folder, name))
