// Shows /openapi.json as a page: contents, endpoints, models, errors; and searches in it.
"use strict";
(() => {
  const DEPTH_MAX = 4; // of fields inside fields
  const METHODS = ["get", "post", "put", "patch", "delete"];
  const byId = (id) => document.getElementById(id);
  let api;

  // ---- making elements: text is always text

  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === true) element.setAttribute(key, "");
      else if (value !== false && value != null) element.setAttribute(key, value);
    }
    element.append(...children.flat(9).filter((child) => child != null && child !== ""));
    return element;
  }

  // Words with `code` in them.
  const inline = (words) => String(words).split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part));
  const paragraphs = (words) => (words ? String(words).split(/\n\n+/).map((part) => make("p", {}, inline(part))) : []);

  function table(heads, rows) {
    return make("table", {}, make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, rows));
  }

  // ---- schemas

  function resolve(part) {
    for (let i = 0; part && part.$ref && i < 20; i++) {
      const found = part.$ref.replace(/^#\//, "").split("/").reduce((at, key) => at && at[key], api);
      part = { ...found, ...Object.fromEntries(Object.entries(part).filter(([key]) => key !== "$ref")) };
    }
    return part || {};
  }

  const branches = (schema) => (schema.oneOf || schema.anyOf || []).map(resolve);

  function typeOf(schema) {
    if (schema.const !== undefined) return JSON.stringify(schema.const);
    if (schema.type === "array" || (Array.isArray(schema.type) && schema.type.includes("array"))) {
      return `list of ${typeOf(resolve(schema.items))}` + (Array.isArray(schema.type) && schema.type.includes("null") ? " or null" : "");
    }
    if (schema.type) return [].concat(schema.type).join(" or ");
    if (schema.enum) return [...new Set(schema.enum.map((value) => (value === null ? "null" : typeof value)))].join(" or ");
    const names = branches(schema).map(typeOf);
    return names.length ? [...new Set(names)].join(" or ") : "anything";
  }

  function bounds(schema) {
    const said = [];
    const range = (least, most, noun) => {
      if (schema[least] !== undefined && schema[most] !== undefined) said.push(`${schema[least]} to ${schema[most]}${noun}`);
      else if (schema[least] !== undefined) said.push(`at least ${schema[least]}${noun}`);
      else if (schema[most] !== undefined) said.push(`at most ${schema[most]}${noun}`);
    };
    range("minimum", "maximum", "");
    range("minLength", "maxLength", " characters");
    range("minItems", "maxItems", " items");
    if (schema.multipleOf) said.push(`a multiple of ${schema.multipleOf}`);
    for (const branch of branches(schema)) said.push(...bounds(branch));
    return said;
  }

  function meaning(schema) {
    const values = schema.enum || (schema.items && resolve(schema.items).enum) || branches(schema).flatMap((branch) => branch.enum || []);
    return [
      paragraphs(schema.description),
      bounds(schema).length ? make("p", { class: "soft" }, bounds(schema).join("; ")) : null,
      values.length ? make("p", { class: "values" }, values.map((value) => make("code", {}, String(value)))) : null,
      schema.default !== undefined ? make("p", { class: "soft" }, "default ", make("code", {}, JSON.stringify(schema.default))) : null,
    ];
  }

  function row(name, schema, required) {
    return make("tr", {},
      make("td", {}, make("code", {}, name), required ? make("span", { class: "must" }, " required") : null),
      make("td", { class: "type" }, typeOf(schema)), make("td", {}, meaning(schema)));
  }

  // The fields of an object, those of objects inside it after it, with the way there in their names.
  function fieldRows(schema, prefix, depth) {
    const rows = [], must = schema.required || [];
    const named = Object.entries(schema.properties || {});
    for (const [name, part] of named.filter(([name]) => must.includes(name)).concat(named.filter(([name]) => !must.includes(name)))) {
      const field = resolve(part);
      rows.push(row(prefix + name, field, must.includes(name)));
      const inner = [field, resolve(field.items), ...branches(field)].find((one) => one.properties);
      if (inner && depth < DEPTH_MAX) rows.push(...fieldRows(inner, prefix + name + (field.items ? "[]." : "."), depth + 1));
    }
    return rows;
  }

  function fields(schema) {
    const rows = fieldRows(schema, "", 1);
    if (rows.length) return table(["Field", "Type", "Meaning"], rows);
    const parts = branches(schema).filter((part) => part.properties || part.oneOf || part.anyOf);
    if (parts.length) {
      return make("div", {}, parts.map((part) => make("details", {}, make("summary", {}, titleOf(part)), make("div", { class: "inside" }, fields(part)))));
    }
    if (schema.items) return make("div", {}, make("p", { class: "soft" }, typeOf(schema)), fields(resolve(schema.items)));
    return make("p", { class: "soft" }, schema.description || typeOf(schema));
  }

  function titleOf(schema) {
    const properties = schema.properties || {};
    const told = properties.model || properties.type || properties.object;
    return schema.title || (told && told.const) || Object.keys(properties).slice(0, 3).join(", ") || typeOf(schema);
  }

  // ---- examples

  function exampleOf(schema, depth) {
    schema = resolve(schema);
    if (schema.const !== undefined) return schema.const;
    if (schema.examples) return schema.examples[0];
    if (schema.default !== undefined && schema.default !== null) return schema.default;
    if (schema.enum) return schema.enum[0];
    if (branches(schema).length && !schema.properties) return exampleOf(branches(schema)[0], depth);
    const type = [].concat(schema.type)[0];
    if (type === "object" || schema.properties) {
      const required = schema.required || [];
      return depth > 3 ? {} : Object.fromEntries(required.filter((name) => (schema.properties || {})[name])
        .map((name) => [name, exampleOf(schema.properties[name], depth + 1)]));
    }
    if (type === "array") return [exampleOf(schema.items || {}, depth + 1)];
    if (type === "integer" || type === "number") return schema.minimum !== undefined ? schema.minimum : 1;
    if (type === "boolean") return true;
    return schema.format === "uri" || /URL/.test(schema.description || "") ? "https://example.com/file" : "A fox in the snow";
  }

  function bodyFor(schema) {
    const body = exampleOf(schema, 0);
    // A rule that asks for one field of several is met by its first.
    for (const rule of (schema.allOf || []).concat(schema.anyOf && schema.properties ? [schema] : [])) {
      const choices = (rule.oneOf || rule.anyOf || []).map((one) => (one.required || [])[0]).filter(Boolean);
      if (choices.length && !choices.some((name) => name in body)) body[choices[0]] = exampleOf(schema.properties[choices[0]], 1);
    }
    return body;
  }

  function curl(method, path, operation, body) {
    const lines = [`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${location.origin}${path}`];
    const security = (operation.security || [])[0];
    if (security) lines.push(`-H "Authorization: Bearer $${security.admin ? "FENNEC_ADMIN_KEY" : "FENNEC_KEY"}"`);
    const content = (resolve(operation.requestBody || {}).content) || {};
    if (content["multipart/form-data"]) lines.push("-F file=@picture.png");
    else if (body !== undefined) lines.push('-H "Content-Type: application/json"', `-d '${JSON.stringify(body).replace(/'/g, "'\\''")}'`);
    return lines.join(" \\\n  ");
  }

  function example(words) {
    const button = make("button", { type: "button" }, "Copy");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(words);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not allowed";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    return make("div", { class: "example" }, make("pre", { tabindex: "0" }, words), button);
  }

  // ---- endpoints

  function showParameters(operation) {
    const parameters = (operation.parameters || []).map(resolve);
    if (!parameters.length) return null;
    const rows = parameters.map((one) => {
      const schema = resolve(one.schema);
      const line = row(one.name, { ...schema, description: one.description || schema.description }, one.required);
      line.firstChild.append(make("span", { class: "soft" }, ` ${one.in}`));
      return line;
    });
    return [make("h4", {}, "Parameters"), table(["Name", "Type", "Meaning"], rows)];
  }

  const modelOf = (schema) => (schema.properties && schema.properties.model && schema["x-type"] ? schema : null);

  function showBody(operation) {
    return Object.entries(resolve(operation.requestBody || {}).content || {}).map(([type, content]) => {
      const schema = resolve(content.schema);
      const models = branches(schema).filter(modelOf);
      return [make("h4", {}, "Body ", make("span", { class: "tag" }, type)),
        models.length ? [make("p", {}, "One of the models, with its parameters:"),
          make("div", { class: "chips" }, models.map((model) => make("a", { href: `#model-${model.title}` }, model.title)))] : fields(schema)];
    });
  }

  function showResponse(status, response) {
    response = resolve(response);
    const contents = Object.entries(response.content || {});
    const headers = Object.keys(response.headers || {}).filter((name) => name !== "X-Request-Id");
    const codes = response["x-codes"];
    const words = codes ? codes.map((code) => make("code", {}, code)).flatMap((code, i) => (i ? [" ", code] : [code])) : inline(response.description || "");
    return make("details", {}, make("summary", {},
      make("span", { class: `status ${status < 400 ? "good" : "bad"}` }, status), words),
    make("div", { class: "inside" }, codes ? paragraphs(response.description) : null,
      headers.length ? make("p", { class: "soft" }, "Headers: ", headers.map((name, i) => [i ? ", " : "", make("code", {}, name)])) : null,
      contents.map(([type, content]) => [make("p", { class: "soft" }, type), codes ? null : fields(resolve(content.schema))])));
  }

  const anchor = (method, path) => `${method}-${path.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "")}`;

  function showOperation(method, path, operation) {
    const content = ((resolve(operation.requestBody || {}).content) || {})["application/json"];
    const schema = content && resolve(content.schema);
    const body = schema && bodyFor(branches(schema).find(modelOf) || schema);
    const security = (operation.security || [])[0];
    return make("article", { id: anchor(method, path), "data-words": `${method} ${path} ${operation.summary} ${operation.operationId}`.toLowerCase() },
      make("div", { class: "head" }, make("span", { class: `method ${method}` }, method.toUpperCase()),
        make("h3", {}, make("code", { class: "path" }, path)),
        make("span", { class: "tag" }, security ? (security.admin ? "operator's key" : "key") : "no key"),
        operation.deprecated ? make("span", { class: "tag" }, "older name") : null),
      make("p", { class: "summary" }, operation.summary), paragraphs(operation.description), showParameters(operation), showBody(operation),
      make("h4", {}, "Example"), example(curl(method, path, operation, body)),
      make("h4", {}, "Answers"), Object.entries(operation.responses).map(([status, response]) => showResponse(status, response)));
  }

  function operationsByTag() {
    const tags = new Map();
    for (const [path, methods] of Object.entries(api.paths)) {
      for (const method of METHODS.filter((name) => methods[name])) {
        const tag = (methods[method].tags || ["Other"])[0];
        if (!tags.has(tag)) tags.set(tag, []);
        tags.get(tag).push([method, path, methods[method]]);
      }
    }
    return tags;
  }

  // ---- models

  function endpointOf(model) {
    for (const [path, methods] of Object.entries(api.paths)) {
      const content = ((resolve((methods.post || {}).requestBody || {}).content) || {})["application/json"];
      if (content && branches(resolve(content.schema)).some((branch) => branch.title === model.title && branch["x-type"])) return [path, methods.post];
    }
    return null;
  }

  function showModel(model) {
    const [path, operation] = endpointOf(model) || [];
    const words = (model.description || "").split("\n\n");
    const body = bodyFor(model);
    if (model.properties.model.const === undefined) body.model = model.title;
    return make("article", { class: "model", id: `model-${model.title}`, "data-words": `${model.title} ${model["x-type"]} ${words[0]}`.toLowerCase() },
      make("details", {}, make("summary", {}, make("h3", {}, model.title), " ", make("span", { class: "tag" }, model["x-type"]),
        make("span", { class: "soft" }, words[0])),
      make("p", {}, "Price: ", model["x-price"] || "none", ". Takes about ", `${model["x-estimated-seconds"]} s.`),
      paragraphs(words.slice(1).join("\n\n")), fields(model), path ? example(curl("post", path, operation, body)) : null));
  }

  const models = () => Object.values(api.components.schemas).filter((schema) => schema["x-type"] && schema.title)
    .sort((a, b) => a["x-type"].localeCompare(b["x-type"]) || a.title.localeCompare(b.title));

  // ---- errors

  function showErrors() {
    const codes = new Map();
    for (const methods of Object.values(api.paths)) {
      for (const operation of METHODS.map((name) => methods[name]).filter(Boolean)) {
        for (const [status, response] of Object.entries(operation.responses)) {
          for (const line of response["x-codes"] ? response.description.split("\n\n") : []) {
            const found = /^`([^`]+)`: (.*)$/s.exec(line);
            if (found) codes.set(found[1], [status, found[2]]);
          }
        }
      }
    }
    const rows = [...codes].sort((a, b) => a[1][0] - b[1][0]).map(([code, [status, words]]) =>
      make("tr", {}, make("td", {}, make("code", {}, code)), make("td", { class: "type" }, status), make("td", {}, words)));
    return [make("h2", { id: "errors" }, "Errors"), paragraphs(api.components.schemas.Error.description),
      example(JSON.stringify({ error: { message: "`prompt` is required", type: "invalid_request_error", code: "missing_field", param: "prompt" } }, null, 2)),
      table(["Code", "Status", "Meaning"], rows)];
  }

  // ---- the page

  function showPage() {
    const page = byId("page"), side = byId("side");
    const entry = (id, words, method) => make("li", { "data-for": id }, make("a", { href: `#${id}` },
      method ? make("span", { class: `method ${method}`, "aria-hidden": "true" }, method === "delete" ? "DEL" : method.toUpperCase()) : null, make("span", {}, words)));
    const group = (title, entries) => side.append(make("section", {}, make("h2", {}, title), make("ul", {}, entries)));
    const told = new Map(api.tags.map((tag) => [tag.name, tag.description]));

    page.replaceChildren(make("h1", { id: "top" }, `${api.info.title} API`), ...paragraphs(api.info.description),
      make("p", {}, "Base URL ", make("code", {}, location.origin), ". Each request carries ", make("code", {}, "Authorization: Bearer $FENNEC_KEY"), "."));
    for (const [tag, operations] of operationsByTag()) {
      page.append(make("section", {}, make("h2", {}, tag), make("p", { class: "lead" }, told.get(tag) || ""),
        operations.map((one) => showOperation(...one))));
      group(tag, operations.map(([method, path, operation]) => entry(anchor(method, path), operation.summary, method)));
    }
    page.append(make("section", {}, make("h2", { id: "models" }, "Models"), make("p", { class: "lead" }, "What this server has, with its parameters."), models().map(showModel)));
    group("Models", models().map((model) => entry(`model-${model.title}`, model.title)));
    page.append(make("section", { id: "error-section" }, showErrors()));
    group("Errors", [entry("errors", "All error codes")]);
  }

  // ---- search

  function search(words) {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const article of document.querySelectorAll("article")) {
      article.hidden = !wanted.every((word) => article.dataset.words.includes(word));
      count += !article.hidden;
      const entry = document.querySelector(`[data-for="${CSS.escape(article.id)}"]`);
      if (entry) entry.hidden = article.hidden;
    }
    for (const section of document.querySelectorAll("#page > section, #side > section")) {
      const parts = section.querySelectorAll("article, li");
      section.hidden = wanted.length > 0 && ![...parts].some((part) => !part.hidden && part.dataset.for !== "errors");
    }
    byId("found").textContent = wanted.length ? (count ? `${count} found` : "Nothing found") : "";
  }

  function openTarget() {
    const target = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.hidden) {
      byId("search").value = "";
      search("");
    }
    const details = target.matches("article.model") && target.querySelector("details");
    if (details) details.open = true;
    for (const link of document.querySelectorAll("#side a")) {
      if (link.hash === location.hash) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    target.scrollIntoView();
  }

  function setMenu(open) {
    byId("side").classList.toggle("open", open);
    byId("menu").setAttribute("aria-expanded", String(open));
  }

  function listen() {
    const field = byId("search");
    field.addEventListener("input", () => search(field.value));
    field.addEventListener("keydown", (event) => {
      const first = document.querySelector("article:not([hidden])");
      if (event.key === "Enter" && first) location.hash = first.id;
      if (event.key === "Escape") {
        field.value = "";
        search("");
      }
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
        event.preventDefault();
        field.focus();
      }
      if (event.key === "Escape") setMenu(false);
    });
    byId("menu").addEventListener("click", () => setMenu(!byId("side").classList.contains("open")));
    byId("side").addEventListener("click", (event) => { if (event.target.closest("a")) setMenu(false); });
    window.addEventListener("hashchange", openTarget);
  }

  async function begin() {
    const response = await fetch("/openapi.json");
    if (!response.ok) throw new Error(`openapi.json: status ${response.status}`);
    api = await response.json();
    showPage();
    for (const element of [byId("menu"), document.querySelector(".find")]) element.hidden = false;
    listen();
    openTarget();
    document.body.dataset.ready = "true";
  }

  begin().catch((error) => { byId("state").prepend(`The page could not be made (${error.message}). `); });
})();
