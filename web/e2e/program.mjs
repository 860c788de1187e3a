// `r1 serve` with the model that ships, in a folder of its own.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../../tests/clients/server.mjs';

export async function startProgram(path) {
  const folder = mkdtempSync(join(tmpdir(), 'r1-e2e-'));
  const server = await startServer(path, ['--site-folder', folder]);
  return {
    address: server.base,
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
