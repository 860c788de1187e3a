import { defineConfig, type Plugin } from 'vite';

// KaTeX names each font in three formats; every browser that runs the page takes the first.
const woff2Only: Plugin = {
  name: 'woff2-only',
  enforce: 'pre',
  transform(code, id) {
    if (!/katex[^/]*\.css$/.test(id)) return null;
    return { code: code.replace(/,url\([^)]*\.(?:woff|ttf)\) format\("[a-z]+"\)/g, ''), map: null };
  },
};

export default defineConfig({
  plugins: [woff2Only],
  build: {
    target: 'es2022',
    rollupOptions: { input: ['index.html', 'training.html', 'evaluation.html'] },
    assetsInlineLimit: 0, // the content security policy knows no data: addresses
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8790' } },
});
