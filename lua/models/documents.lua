-- Documents, converted on this machine with pandoc and poppler's tools.

local PYTHON = "/usr/bin/python3"

local function exec(command, programs, packages)
    return { exec = { command = command, programs = programs, package = packages } }
end

-- Every format that can be written, and what its files are. HTML is what a page says, and is served as plain text all the
-- same, so that no browser takes a stranger's page for one of this server's.
local CONTENT_TYPES = {
    html = "text/html", markdown = "text/markdown", gfm = "text/markdown", plain = "text/plain", rst = "text/x-rst",
    latex = "application/x-tex", org = "text/x-org", mediawiki = "text/x-wiki", asciidoc = "text/asciidoc",
    docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    odt = "application/vnd.oasis.opendocument.text", epub = "application/epub+zip",
}

local TEXT_URL = "data:text/markdown;base64,IyBIaQo="
local PDF = "data:application/pdf;base64,JVBERi0xLjQK"

model "local-document" {
    type = "document", summary = "A document in another format, on this machine", estimated = 3, timeout = 120,
    params = {
        text = text{ min = 1, max = 500000, nullable },
        file_url = url{ "file", nullable },
        from = choice{ "markdown", "gfm", "html", "docx", "odt", "epub", "rst", "latex", "org", "mediawiki", "textile", "csv",
                       default = "markdown" },
        to = choice{ "html", "markdown", "gfm", "docx", "odt", "epub", "plain", "rst", "latex", "org", "mediawiki", "asciidoc",
                     required },
        title = text{ min = 1, max = 300, nullable },
    },
    rules = {
        exactly_one{ "text", "file_url" },
        not_with{ "text", when = { from = "docx" } }, not_with{ "text", when = { from = "odt" } },
        not_with{ "text", when = { from = "epub" } },
    },
    routes = exec("local-document", { PYTHON, "pandoc" }, "python3 pandoc"),
    simulate = function(p)
        return { document = sample.text{ seed = hash(p.text or p.file_url), label = "local-document to " .. p.to } }
    end,
    results = function(out, p)
        return { { url = artifact(out.document), content_type = out.document.content_type or CONTENT_TYPES[p.to] } }
    end,
    samples = {
        { input = { text = "# Hi", to = "html" }, valid = { text = "# Hi", to = "html", from = "markdown" }, price = 1,
          upstream = { exec = { text = "# Hi", to = "html", from = "markdown" } },
          output = { document = { file = "document.html" } },
          results = { { url = { file = "document.html" }, content_type = "text/html" } } },
        { input = { file_url = TEXT_URL, from = "gfm", to = "docx", title = "Hi" },
          output = { document = { file = "document.docx" } },
          results = { { url = { file = "document.docx" }, content_type = CONTENT_TYPES.docx } } },
        { input = { text = "x", file_url = TEXT_URL, to = "html" },
          refused = { code = "not_allowed_value", param = "file_url" } },
        { input = { text = "x", from = "docx", to = "html" }, refused = { code = "not_allowed_value", param = "text" } },
        { input = { text = "x" }, refused = { code = "missing_field", param = "to" } },
        { input = { text = "x", to = "pdf" }, refused = { code = "not_allowed_value", param = "to" } },
    },
}

model "local-pdf-text" {
    type = "document", summary = "The text of a PDF, on this machine", estimated = 2, timeout = 120,
    params = {
        pdf_url = url{ "file", required },
        layout = boolean{ default = false },
        first_page = integer{ min = 1, max = 100000, nullable },
        last_page = integer{ min = 1, max = 100000, nullable },
    },
    routes = exec("local-pdf-text", { PYTHON, "pdftotext" }, "python3 poppler-utils"),
    simulate = function(p)
        return { text = sample.text{ seed = hash(p.pdf_url), label = "local-pdf-text" } }
    end,
    results = function(out)
        return { { url = artifact(out.text), content_type = "text/plain" } }
    end,
    samples = {
        { input = { pdf_url = PDF }, valid = { pdf_url = PDF, layout = false }, price = 1,
          upstream = { exec = { pdf_url = PDF, layout = false } },
          output = { text = { file = "pages.txt" } },
          results = { { url = { file = "pages.txt" }, content_type = "text/plain" } } },
        { input = {}, refused = { code = "missing_field", param = "pdf_url" } },
        { input = { pdf_url = PDF, first_page = 0 }, refused = { code = "out_of_range", param = "first_page" } },
    },
}

model "local-pdf-images" {
    type = "document", summary = "The pages of a PDF as pictures, on this machine", estimated = 5, timeout = 300,
    params = {
        pdf_url = url{ "file", required },
        format = choice{ "png", "jpeg", default = "png" },
        dpi = integer{ default = 150, min = 36, max = 300 },
        first_page = integer{ default = 1, min = 1, max = 100000 },
        max_pages = integer{ default = 20, min = 1, max = 50 },
    },
    routes = exec("local-pdf-images", { PYTHON, "pdftoppm", "pdfinfo" }, "python3 poppler-utils"),
    simulate = function(p)
        local seed = hash(p.pdf_url)
        return { pages = { sample.image{ width = 420, height = 595, seed = seed, label = "page 1" },
                           p.max_pages > 1 and sample.image{ width = 420, height = 595, seed = seed, label = "page 2" } or nil } }
    end,
    results = function(out, p)
        local list = array{}
        for i, page in ipairs(out.pages) do
            list[i] = { url = artifact(page), content_type = page.content_type or "image/" .. p.format }
        end
        return list
    end,
    samples = {
        { input = { pdf_url = PDF }, price = 1,
          valid = { pdf_url = PDF, format = "png", dpi = 150, first_page = 1, max_pages = 20 },
          upstream = { exec = { pdf_url = PDF, format = "png", dpi = 150, first_page = 1, max_pages = 20 } },
          output = { pages = { { file = "page-1.png", page = 1 }, { file = "page-2.png", page = 2 } } },
          results = { { url = { file = "page-1.png", page = 1 }, content_type = "image/png" },
                      { url = { file = "page-2.png", page = 2 }, content_type = "image/png" } } },
        { input = { pdf_url = PDF, dpi = 1200 }, refused = { code = "out_of_range", param = "dpi" } },
        { input = { pdf_url = PDF, max_pages = 51 }, refused = { code = "out_of_range", param = "max_pages" } },
    },
}
