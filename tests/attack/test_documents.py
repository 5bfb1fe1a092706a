"""Documents that want to read this machine's files, call its network, or fill its memory, disk and time."""
import base64
import io
import json
import os
import pathlib
import subprocess
import zipfile
import zlib

import pytest
from conftest import SETTINGS
from house import Server

RUN = "/v1/run/generations"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
REFUSALS = ("invalid_parameters", "generation_failed_no_content")


def data_uri(kind, data):
    return f"data:{kind};base64," + base64.b64encode(data).decode()


def archive(**members):
    """A ZIP archive; `__` in a name stands for a slash, `_dot_` for a dot."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return whole.getvalue()


def parts_of(client, task):
    """All that a finished task gives away: its answer, its files, and the files in those."""
    parts = [json.dumps(task).encode()]
    for result in task["results"] or []:
        body = client.download(result["url"]).body
        parts.append(body)
        if body.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(body)) as made:
                parts += [made.read(name) for name in made.namelist()]
    return parts


def run(client, model, **parameters):
    return client.final(client.submit(model, RUN, **parameters))


def together(client, bait, bodies, model="local-document", refusals=REFUSALS):
    """Runs them beside each other; none may take the bait, all must end."""
    tasks = [client.submit(model, RUN, **body) for body in bodies]
    ended = [client.final(task) for task in tasks]
    for task in ended:
        assert task["status"] == "completed" or task["error"]["code"] in refusals, task
        bait.check(*parts_of(client, task))
    return ended


# The shipped commands with little time, for what only time can end.
HASTY = """
model "hasty-document" {
    type = "document", summary = "As local-document", estimated = 1, timeout = 4, price = per_call(1),
    params = { text = text{ nullable }, file_url = url{ "file", nullable }, from = text{ required }, to = text{ required } },
    routes = { exec = { command = "local-document" } },
    results = function(out) return { { url = artifact(out.document) } } end,
}
model "hasty-pdf-text" {
    type = "document", summary = "As local-pdf-text", estimated = 1, timeout = 4, price = per_call(1),
    params = { pdf_url = url{ "file", required } }, routes = { exec = { command = "local-pdf-text" } },
    results = function(out) return { { url = artifact(out.text) } } end,
}
model "hasty-pdf-images" {
    type = "document", summary = "As local-pdf-images", estimated = 1, timeout = 4, price = per_call(1),
    params = { pdf_url = url{ "file", required } }, routes = { exec = { command = "local-pdf-images" } },
    results = function(out) return { { url = artifact(out.pages[1]) } } end,
}
"""
TOO_LONG = ("generation_timeout",)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    house = Server(tmp_path_factory.mktemp("hasty"), SETTINGS, HASTY).start()
    with house.client(house.key("bomber", credits=1000)) as client:
        yield client
    house.close()  # and nothing of theirs is left: no process, no directory


NAMES = ("{file}", "file://{file}", "{url}", "../../../../../../../..{file}")
RAW = ('<img src="{0}">', '<video src="{0}" poster="{0}"></video>', '<audio><source src="{0}"></audio>',
       '<iframe src="{0}"></iframe>', '<object data="{0}"></object>', '<embed src="{0}">',
       '<link rel="stylesheet" href="{0}">', '<svg><image href="{0}" xlink:href="{0}"/></svg>',
       '<style>@import url("{0}");</style>', '<script src="{0}"></script>')


def names(bait):
    return [name.format(file=bait.file, url=bait.url()) for name in NAMES]


def test_raw_html_brings_no_files(client, bait):
    """pandoc's writer of EPUB fetches what raw HTML names, unless it is taken out before."""
    text = "\n\n".join(f"words {raw.format(name)} more" for raw in RAW for name in names(bait))
    blocks = "\n\n".join(raw.format(name) for raw in RAW for name in names(bait))
    ended = together(client, bait, [{"text": f"# T\n\n{text}\n\n{blocks}\n", "from": form, "to": to}
                                    for form, to in (("markdown", "epub"), ("html", "epub"), ("markdown", "docx"), ("html", "odt"))])
    assert [task["status"] for task in ended] == ["completed"] * len(ended)


def test_a_formats_own_words_bring_no_files(client, bait):
    inclusions = {
        "markdown": "```{{=html}}\n<img src=\"{0}\">\n```\n\n`<img src=\"{0}\">`{{=html}}\n\n"
                    "```{{=openxml}}\n<w:p><w:r><w:t>{0}</w:t></w:r></w:p>\n```\n",
        "rst": ".. include:: {0}\n\n.. csv-table:: t\n   :file: {0}\n\n.. image:: {0}\n\n.. raw:: html\n   :file: {0}\n",
        "org": "#+INCLUDE: \"{0}\"\n#+SETUPFILE: {0}\n[[file:{0}]]\n#+BEGIN_EXPORT html\n<img src=\"{0}\">\n#+END_EXPORT\n",
        "latex": "\\input{{{0}}}\\include{{{0}}}\\includegraphics{{{0}}}\\lstinputlisting{{{0}}}\\verbatiminput{{{0}}} x\n",
    }
    together(client, bait, [{"text": words.format(bait.file) + words.format(bait.url()), "from": form, "to": "epub"}
                            for form, words in inclusions.items()])


def test_a_head_brings_no_files(client, bait):
    fields = "\n".join(f"{name}: '{value}'" for value in (bait.file, bait.url()) for name in (
        "css", "cover-image", "epub-cover-image", "stylesheet", "bibliography", "csl", "template", "include-before",
        "header-includes", "reference-doc", "epub-fonts", "filters", "lua-filter"))
    head = f"---\ntitle: '`<img src=\"{bait.file}\">`{{=html}}'\nabstract: |\n  <img src=\"{bait.url()}\">\n{fields}\n---\n\nx\n"
    together(client, bait, [{"text": head, "to": to} for to in ("epub", "html")])


def docx(document, relations=""):
    return archive(_Content_Types__=b"", word__document_dot_xml=document, word___rels__document_dot_xml_dot_rels=relations,
                   _rels___dot_rels=('<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
                                     '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
                                     'relationships/officeDocument" Target="word/document.xml"/></Relationships>'))


WORD = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{}</w:body></w:document>'
PARAGRAPH = "<w:p><w:r><w:t>{}</w:t></w:r></w:p>"


def test_entities_are_not_resolved(client, bait):
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    heads = [f'<!DOCTYPE d SYSTEM "{bait.url("/a.dtd")}" [<!ENTITY x SYSTEM "file://{bait.file}">'
             f'<!ENTITY z SYSTEM "{bait.url()}"><!ENTITY % y SYSTEM "{bait.url()}"> %y;]>',
             f'<!DOCTYPE d [<!ENTITY l0 "ha">{laughs}<!ENTITY x "&l11;"><!ENTITY z "">]>']
    bodies = []
    for head in heads:
        odt = archive(mimetype="application/vnd.oasis.opendocument.text", content_dot_xml=head + (
            '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text='
            '"urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text><text:p>&x;&z;</text:p></office:text>'
            '</office:body></office:document-content>'))
        bodies.append({"file_url": data_uri(DOCX, docx(head + WORD.format(PARAGRAPH.format("&x;&z;")))), "from": "docx", "to": "plain"})
        bodies.append({"file_url": data_uri("application/zip", odt), "from": "odt", "to": "plain"})
    together(client, bait, bodies)


def test_archives_that_are_bombs_end(hasty, bait):
    """A hundred megabytes of words in some hundred kilobytes, nesting without end, and a member that lies about its size."""
    many = WORD.format(PARAGRAPH.format("ha " * 300) * 100000).encode()
    deep = WORD.format("<w:sdt><w:sdtContent>" * 50000 + PARAGRAPH.format("x") + "</w:sdtContent></w:sdt>" * 50000)
    lying = bytearray(docx(WORD.format(PARAGRAPH.format("x"))))
    at = lying.index(b"PK\x01\x02") + 24
    lying[at:at + 4] = b"\xff\xff\xff\x7f"
    ended = together(hasty, bait, [{"file_url": data_uri(DOCX, bytes(one)), "from": "docx", "to": "html"}
                                   for one in (docx(many), docx(deep), lying)], "hasty-document", REFUSALS + TOO_LONG)
    assert ended[0]["status"] == "failed"


def test_words_nested_without_end(hasty, bait):
    together(hasty, bait, [
        {"text": "> " * 4000 + "x", "from": "markdown", "to": "html"}, {"text": "<div>" * 20000, "from": "html", "to": "plain"},
        {"text": "[" * 3000 + "x" + "](y)" * 3000, "from": "markdown", "to": "html"},
    ], "hasty-document", REFUSALS + TOO_LONG)


def test_links_in_an_archive_lead_nowhere(client, bait):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as made:
        made.writestr("mimetype", "application/epub+zip")
        made.writestr("META-INF/container.xml", '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
                      '<rootfile full-path="../../../../../../c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>')
        made.writestr("../../../../../../c.opf", '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" href="'
                      f'{bait.file}" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>')
        link = zipfile.ZipInfo("a.xhtml")
        link.external_attr = 0o120777 << 16
        made.writestr(link, str(bait.file))
    together(client, bait, [{"file_url": data_uri("application/epub+zip", whole.getvalue()), "from": "epub", "to": "plain"}])


def pdf(objects):
    body, begins = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        begins.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % at for at in begins)
    return body + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, table, len(objects) + 1, len(body))


def stream(dictionary, data):
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (dictionary, len(data), data)


def flate(byte, count):
    """That many bytes, packed, without ever holding them."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(byte * (1 << 20)) for _ in range(count >> 20)) + packer.flush()


def page(content, more=b""):
    return [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R %s >>" % more, content]


def test_a_pdf_that_is_a_bomb_ends(hasty, bait):
    """A quarter of a gigabyte of drawing in a few bytes, a picture of 60,000 by 60,000, a page as large as a town, pages without end."""
    picture = stream(b"/Type /XObject /Subtype /Image /Width 60000 /Height 60000 /ColorSpace /DeviceRGB /BitsPerComponent 8 "
                     b"/Filter [/FlateDecode]", flate(b"\0", 64 << 20))
    bombs = [
        pdf(page(stream(b"/Filter /FlateDecode", flate(b"q ", 128 << 20)))),
        pdf(page(stream(b"", b"q 300 0 0 300 0 0 cm /I Do Q"), b"/Resources << /XObject << /I 5 0 R >> >>") + [picture]),
        pdf(page(stream(b"", b"")) [:2] + [b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 1e9 1e9] /Contents 4 0 R >>", stream(b"", b"")]),
        pdf([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 2000000000 /Kids [2 0 R 2 0 R] >>"]),
        pdf(page(stream(b"/F (%s) /FFilter /FlateDecode" % str(bait.file).encode(), b""),
                 b"/AA << /O << /S /Launch /F (/bin/sh) >> >> /Annots [<< /Subtype /Link /A << /S /URI /URI (%s) >> >>]"
                 % bait.url().encode())),
    ]
    together(hasty, bait, [{"pdf_url": data_uri("application/pdf", one)} for one in bombs[2:]], "hasty-pdf-text", REFUSALS + TOO_LONG)
    together(hasty, bait, [{"pdf_url": data_uri("application/pdf", one)} for one in bombs], "hasty-pdf-images", REFUSALS + TOO_LONG)


def test_a_program_that_gives_up_is_told_as_such(tmp_path):
    """pdftotext aborts when it gets no more memory: the PDF's fault, and nothing to try again."""
    program, document, work = tmp_path / "pdftotext", tmp_path / "one.pdf", tmp_path / "work"
    program.write_text("#!/bin/sh\nkill -ABRT $$\n")
    program.chmod(0o755)
    document.write_bytes(b"%PDF-1.4")
    work.mkdir()
    command = pathlib.Path(__file__).parents[2] / "libexec" / "local-pdf-text"
    said = subprocess.run([command], cwd=work, input=json.dumps({"input": {}, "files": {"pdf_url": str(document)}}), text=True,
                          capture_output=True, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}, timeout=60)
    assert said.returncode == 1, said
    assert "error invalid_parameters The PDF could not be read" in said.stdout and "memory" in said.stdout, said
