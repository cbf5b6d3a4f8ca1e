import { createHash } from "node:crypto";

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** Script and style go into the page itself, and the page's policy allows these two and no others. */
function onePage() {
  return {
    name: "one-page",
    enforce: "post",
    generateBundle(_, bundle) {
      const take = (ending) => {
        const names = Object.keys(bundle).filter((name) => name.endsWith(ending));
        const text = names.map((name) => bundle[name].code ?? bundle[name].source).join("");
        for (const name of names) delete bundle[name];
        return text.trim();
      };
      const script = take(".js").replaceAll("</script", "<\\/script");
      const style = take(".css");
      const policy = [
        "default-src 'none'",
        `script-src ${hash(script)}`,
        `style-src ${hash(style)}`,
        "img-src data: blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
      ].join("; ");
      const page = bundle["index.html"];
      page.source = page.source
        .replace(/\s*<script type="module"[^>]*><\/script>/, "")
        .replace(/\s*<link rel="stylesheet"[^>]*>/, "")
        .replace("POLICY", () => policy)
        .replace("<!--STYLE-->", () => `<style>${style}</style>`)
        .replace("<!--SCRIPT-->", () => `<script type="module">${script}</script>`);
    },
  };
}

export default {
  base: "./",
  build: {
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    target: "es2022",
  },
  plugins: [onePage()],
};
