// What every page does. Each part looks for its own marks in the page and does nothing where there are none.
import { enhance } from "./enhance.js";
import "./act.js";
import "./confirm.js";
import "./keys.js";
import "./menu.js";
import "./list.js";
import "./select.js";
import "./tabs.js";
import "./guard.js";
import "./tree.js";
import "./print.js";
import "./progress.js";
import "./tray.js";
import "./lock.js";

enhance(document);
