// Sentences in the reader's language, written by the server on <body data-t-…>.
export function word(name) {
  return document.body.dataset["t" + name[0].toUpperCase() + name.slice(1)] || "";
}

/** Return a new element with attributes and text or child nodes. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
