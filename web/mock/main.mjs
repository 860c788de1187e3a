// A stand-in for the server: docs/site-api.md in memory, with a scripted model (mock/script.mjs).
//   node mock/main.mjs [--port 8790] [--site dist] [--rate 200] [--key sk-test]
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { handle } from './routes.mjs';
import { createState } from './state.mjs';
import { createPages } from './pages.mjs';

export function startMock({ port = 0, site = null, rate = 200, key = null } = {}) {
  const state = createState({ rate, key });
  const pages = site ? createPages(site) : null;
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost');
    if (url.pathname.startsWith('/api/site/')) void handle(state, request, response, url);
    else if (pages) pages(request, response, url);
    else response.writeHead(404).end();
  });
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => resolve({ server, state, address: `http://127.0.0.1:${server.address().port}` }));
  });
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '8790' }, site: { type: 'string' }, rate: { type: 'string', default: '40' }, key: { type: 'string' } },
  });
  const mock = await startMock({ port: Number(values.port), site: values.site ?? null, rate: Number(values.rate), key: values.key ?? null });
  console.log(`mock: ${mock.address}`);
}
