// Writes a built site as one C++ file: the table of src/server/site/site_assets.h.
//   node embed_assets.mjs SITE_FOLDER OUTPUT.cpp
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { gzipSync } from 'node:zlib';

const MIME_TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};
const LITERAL_BYTES = 32; // a line

function filesBelow(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}

// Octal escapes always of three digits, so that no following digit joins them.
function stringLiteral(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += LITERAL_BYTES) {
    let line = '';
    for (const byte of bytes.subarray(at, at + LITERAL_BYTES)) {
      const printable = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c && byte !== 0x3f;
      line += printable ? String.fromCharCode(byte) : '\\' + byte.toString(8).padStart(3, '0');
    }
    lines.push(`    "${line}"`);
  }
  return lines.join('\n');
}

const [siteFolder, output] = process.argv.slice(2);
if (!siteFolder || !output) {
  console.error('usage: embed_assets.mjs SITE_FOLDER OUTPUT.cpp');
  process.exit(2);
}

const assets = filesBelow(siteFolder)
  .map((file) => {
    const path = '/' + relative(siteFolder, file).split(sep).join('/');
    const mimeType = MIME_TYPES[extname(file)];
    if (!mimeType) throw new Error(`${file}: no MIME type is known for ${extname(file)}`);
    const content = readFileSync(file);
    const etag = createHash('sha256').update(content).digest('hex').slice(0, 32);
    return { path, mimeType, etag, bytes: gzipSync(content, { level: 9 }), immutable: path.startsWith('/assets/') };
  })
  .sort((a, b) => (a.path < b.path ? -1 : 1));

const data = assets.map((a, i) => `// ${a.path}\nconstexpr std::string_view file_${i}(\n${stringLiteral(a.bytes)},\n    ${a.bytes.length});`);
const rows = assets.map((a, i) => `    {"${a.path}", "${a.mimeType}", file_${i}, "\\"${a.etag}\\"", ${a.immutable}},`);
writeFileSync(
  output,
  `// Written by web/tools/embed_assets.mjs.
#include "server/site/site_assets.h"

namespace r1 {
namespace {

${data.join('\n')}

constexpr SiteAsset assets[] = {
${rows.join('\n')}
};

} // namespace

std::span<const SiteAsset> site_assets() { return assets; }

std::string_view site_assets_absent_reason() { return {}; }

} // namespace r1
`,
);
const total = assets.reduce((sum, a) => sum + a.bytes.length, 0);
console.log(`chat site: ${assets.length} files, ${(total / 1024).toFixed(0)} KiB gzipped`);
