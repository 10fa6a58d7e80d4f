// What every page does. Each part looks for its own marks in the page and does nothing where there are none.
import { enhance } from "./enhance.js";
import "./act.js";
import "./confirm.js";
import "./scan.js";
import "./keys.js";
import "./menu.js";
import "./list.js";
import "./select.js";
import "./sheet.js";
import "./tabs.js";
import "./guard.js";
import "./tree.js";
import "./print.js";
import "./progress.js";
import "./tray.js";
import "./ringing.js";
import "./heard.js";
import "./lock.js";
import "./themes.js";
import "./again.js";

enhance(document);
if (document.querySelector("[data-board]")) import("./board.js");
if (document.querySelector("[data-live]")) import("./live.js");
if (document.querySelector("[data-desk]")) import("./desk.js");
