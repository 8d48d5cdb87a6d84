// The viewer when it was built, else a plain list made from the same document.

const place = document.getElementById("operations");
const methods = ["get", "post", "put", "patch", "delete"];

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function list(paths) {
  const byTag = new Map();
  for (const [path, operations] of Object.entries(paths)) {
    for (const method of methods) {
      const operation = operations[method];
      if (!operation) continue;
      const tag = operation.tags?.[0] ?? "Other";
      if (!byTag.has(tag)) byTag.set(tag, []);
      byTag.get(tag).push({ method, path, operation });
    }
  }
  const plain = element("div", undefined, "plain");
  for (const [tag, operations] of byTag) {
    const rows = element("ul");
    for (const { method, path, operation } of operations) {
      const row = element("li", undefined, "operation");
      row.append(element("b", method.toUpperCase()), element("code", path), element("small", operation.summary ?? ""));
      rows.append(row);
    }
    plain.append(element("h2", tag), rows);
  }
  return plain;
}

async function show() {
  const answer = await fetch("/openapi.json", { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`/openapi.json answered ${answer.status}`);
  const spec = await answer.json();
  if (globalThis.SwaggerUIBundle) {
    place.textContent = "";
    globalThis.SwaggerUIBundle({
      spec,
      dom_id: "#operations",
      deepLinking: true,
      filter: true,
      docExpansion: "none",
      defaultModelsExpandDepth: 0,
      displayRequestDuration: true,
      persistAuthorization: false,
      tryItOutEnabled: false,
      validatorUrl: null,
    });
  } else {
    place.replaceChildren(list(spec.paths ?? {}));
  }
}

show().catch((problem) => place.replaceChildren(element("p", `The document could not be read: ${problem.message}`)));
