"""Documents, for real: what went in comes out, read by tools that know nothing of us."""
import base64
import html
import io
import re
import subprocess
import zipfile

import pytest

RUN = "/v1/run/generations"
TEXT = "# A fox\n\nIt *runs* through the snow.\n\n- one\n- two\n"
WORDS = ["A", "fox", "It", "runs", "through", "the", "snow.", "one", "two"]


def data_uri(kind, data):
    return f"data:{kind};base64," + base64.b64encode(data).decode()


def made(client, body):
    task = client.completed(RUN, body)
    assert (task["type"], task["object"]) == ("document", "document.generation.task")
    files = [client.download(result["url"]) for result in task["results"]]
    assert [list(result) for result in task["results"]] == [["url", "content_type"]] * len(files)
    assert [result["content_type"] for result in task["results"]] == [file.headers["Content-Type"] for file in files]
    return [file.body for file in files]


def convert(client, to, text=TEXT, **more):
    (body,) = made(client, {"model": "local-document", "text": text, "to": to, **more})
    return body


def words_of_xml(data):
    return html.unescape(re.sub(r"<[^>]+>", " ", data.decode())).split()


def pdf(*lines):
    """A page a line; written by hand, so that it is known what must be read."""
    count = len(lines)
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>",
               b"<< /Type /Pages /Count %d /Kids [%s] >>" % (count, b" ".join(b"%d 0 R" % (4 + 2 * i) for i in range(count))),
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    for i, line in enumerate(lines):
        page = b"BT /F1 24 Tf 40 100 Td (%s) Tj ET" % line.encode()
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 360 180] /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * i))
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page))
    body, begins = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        begins.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % at for at in begins)
    return body + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, table, len(objects) + 1, len(body))


def test_text_to_html(live):
    page = convert(live, "html", title="Foxes & co")
    assert b"<h1" in page and b"<em>runs</em>" in page and b"<title>Foxes &amp; co</title>" in page
    assert words_of_xml(page[page.index(b"<h1 id="):])[-len(WORDS):] == WORDS


def test_there_and_back_by_docx(live):
    docx = convert(live, "docx")
    with zipfile.ZipFile(io.BytesIO(docx)) as archive:
        assert archive.testzip() is None
        assert [word for word in words_of_xml(archive.read("word/document.xml")) if word in WORDS] == WORDS
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    (back,) = made(live, {"model": "local-document", "file_url": data_uri(kind, docx), "from": "docx", "to": "plain"})
    assert [word for word in back.decode().split() if word != "-"][-len(WORDS):] == WORDS


@pytest.mark.parametrize("to, first, inside", [("epub", "mimetype", "EPUB/text/ch001.xhtml"), ("odt", "mimetype", "content.xml")])
def test_archives(live, to, first, inside):
    with zipfile.ZipFile(io.BytesIO(convert(live, to))) as archive:
        assert archive.namelist()[0] == first and archive.testzip() is None
        assert [word for word in words_of_xml(archive.read(inside)) if word in WORDS][-len(WORDS):] == WORDS


@pytest.mark.parametrize("to", ["html", "docx", "epub", "odt", "markdown"])
def test_a_document_reads_no_files(live, tmp_path, to):
    """Neither a picture, an inclusion nor what stands in a head may bring a file of this machine into the result."""
    secret = tmp_path / "secret.txt"
    secret.write_text("only-on-this-machine")
    text = (f"---\ncss: {secret}\ntitle: T\ncover-image: {secret}\nepub-cover-image: {secret}\nbibliography: {secret}\n---\n\n"
            f"![words for it]({secret})\n\n```{{include={secret}}}\n```\n")
    document = convert(live, to, text)
    parts = [document]
    if document.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(document)) as archive:
            parts = [archive.read(name) for name in archive.namelist()]
    assert not any(b"only-on-this-machine" in part for part in parts)
    assert any(b"words for it" in part for part in parts)


@pytest.mark.parametrize("form, text", [("rst", ".. include:: {}\n\nand more\n"), ("latex", "\\input{{{}}} and more\n"),
                                        ("org", "#+INCLUDE: {}\n\nand more\n")])
def test_no_inclusions(live, tmp_path, form, text):
    secret = tmp_path / "secret.tex"
    secret.write_text("only-on-this-machine")
    task = live.run(RUN, {"model": "local-document", "text": text.format(secret), "from": form, "to": "plain"})
    if task["status"] == "completed":
        assert b"only-on-this-machine" not in live.download(task["results"][0]["url"]).body


def test_the_text_of_a_pdf(live):
    document = data_uri("application/pdf", pdf("The first page", "The second page"))
    (both,) = made(live, {"model": "local-pdf-text", "pdf_url": document})
    assert [line for line in both.decode().splitlines() if line.strip()] == ["The first page", "The second page"]
    (last,) = made(live, {"model": "local-pdf-text", "pdf_url": document, "first_page": 2})
    assert last.decode().split() == ["The", "second", "page"]


def test_the_pages_of_a_pdf(live):
    document = data_uri("application/pdf", pdf("One", "Two", "Three"))
    pages = made(live, {"model": "local-pdf-images", "pdf_url": document, "dpi": 72, "max_pages": 2})
    said = [subprocess.run(["identify", "-format", "%m %w %h", "-"], input=page, capture_output=True, check=True).stdout for page in pages]
    assert said == [b"PNG 360 180"] * 2 and pages[0] != pages[1]
    (third,) = made(live, {"model": "local-pdf-images", "pdf_url": document, "dpi": 36, "first_page": 3, "format": "jpeg"})
    assert third.startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("model, body", [
    ("local-pdf-text", {"pdf_url": data_uri("application/pdf", b"%PDF-1.4\nnot really")}),
    ("local-pdf-images", {"pdf_url": data_uri("application/pdf", b"%PDF-1.4\nnot really")}),
    ("local-pdf-images", {"pdf_url": data_uri("application/pdf", pdf("One")), "first_page": 2}),
    ("local-document", {"file_url": data_uri("application/zip", b"PK\3\4 no archive"), "from": "docx", "to": "html"}),
])
def test_what_cannot_be_read_is_told(live, model, body):
    task = live.run(RUN, {"model": model, **body})
    assert (task["status"], task["error"]["code"]) == ("failed", "invalid_parameters"), task
    assert task["usage"]["credits_charged"] == 0


def test_a_page_without_text(live):
    task = live.run(RUN, {"model": "local-pdf-text", "pdf_url": data_uri("application/pdf", pdf(""))})
    assert task["error"]["code"] == "generation_failed_no_content"


@pytest.mark.parametrize("body", [{"model": "local-document", "text": TEXT, "to": "docx"},
                                  {"model": "local-pdf-text", "pdf_url": "https://example.com/a.pdf"},
                                  {"model": "local-pdf-images", "pdf_url": "https://example.com/a.pdf", "max_pages": 1}])
def test_test_mode(tester, body):
    (one,) = made(tester, body)
    assert one.startswith(b"\x89PNG") or b"Fennec test mode" in one


def test_the_endpoint_is_for_documents(live):
    response = live.post(RUN, {"model": "local-image", "prompt": "x"})
    assert response.status == 422 and "/v1/images/generations" in response.error()["message"]
