// Starts `r1 serve` for a test and ends it; also for the tests of web/e2e.
import { spawn } from "node:child_process";

/** {base: "http://…", stop(): its exit code}; the port is given here. */
export async function startServer(program, flags) {
  const server = spawn(program, ["serve", ...flags, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => server.on("exit", resolve));
  const base = await new Promise((resolve, reject) => {
    let text = "";
    server.stdout.on("data", (data) => {
      text += data;
      const found = text.match(/listening on (\S+)/);
      if (found) resolve(found[1]);
    });
    server.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return {
    base,
    stop() {
      server.kill("SIGTERM");
      return ended;
    },
  };
}

/** Runs all of {name: test}; how many failed. */
export async function runAll(tests) {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log(`ok    ${name}`);
    } catch (error) {
      ++failed;
      console.log(`FAIL  ${name}\n${error.stack}`);
    }
  }
  return failed;
}
