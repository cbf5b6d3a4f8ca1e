import { render } from "preact";
import { App } from "./app";
import { followAddress } from "./address";
import type { Payload } from "./payload";
import { start } from "./state";
import "./style.css";
import "./screens.css";

const page = document.getElementById("page")!;
const payload: Payload | null = JSON.parse(document.getElementById("payload")!.textContent!);
page.textContent = "";
if (payload === null) page.textContent = "This page was given no audit.";
else {
  start(payload);
  followAddress();
  render(<App />, page);
  performance.mark("arcal-usable");
}
