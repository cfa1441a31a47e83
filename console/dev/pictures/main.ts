/** Draws one dashboard, which lies beside this page as board.json; never part of the build. */
import { mount, tick } from "svelte";

import "../../src/styles/tokens.css";
import "../../src/styles/base.css";
import "../../src/styles/layout.css";
import "uplot/dist/uPlot.min.css";
import type { Answered } from "./board";
import Board from "./Board.svelte";

const target = document.getElementById("board");
if (!target) throw new Error("index.html has no #board");
const given = (await (await fetch("board.json")).json()) as Answered;
await document.fonts.ready;
mount(Board, { target, props: { given } });
await tick();
// Charts are drawn when their places have been measured, and painted a frame later.
for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
document.documentElement.dataset["drawn"] = "yes";
