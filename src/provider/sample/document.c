/* Documents for test mode: a PDF of one page, and a text, each of which says what it was made for. */
#include "provider/sample/sample.h"

#define WORDS_MAX 512
#define PDF_MAX 4096

static void put_line(const struct sample *sample, struct buffer *buf) {
    buffer_printf(buf, "Fennec test mode, seed %llu. %.*s", (unsigned long long)sample->seed, TEXT_ARG(sample->label));
}

void sample_put_text(const struct sample *sample, struct buffer *buf) {
    put_line(sample, buf);
    buffer_put_char(buf, '\n');
}

/* A PDF string: brackets and backslashes escaped, and only what its standard fonts have for certain. */
static void put_pdf_string(struct text line, struct buffer *buf) {
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        if (c == '(' || c == ')' || c == '\\') {
            buffer_put_char(buf, '\\');
        }
        buffer_put_char(buf, c >= ' ' && c <= '~' ? c : '?');
    }
}

/* ISO 32000-1, section 7.5: objects, then the table of where each of them begins. */
void sample_put_pdf(const struct sample *sample, struct buffer *buf) {
    static const char *const objects[] = {
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 595] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    };
    enum { COUNT = ARRAY_SIZE(objects) + 1 };
    size_t begins[COUNT];
    struct buffer scoped(buffer_fini) pdf, scoped(buffer_fini) line, scoped(buffer_fini) page;

    buffer_init(&pdf, PDF_MAX);
    buffer_init(&line, WORDS_MAX);
    buffer_init(&page, 2 * WORDS_MAX);
    put_line(sample, &line);
    buffer_put(&page, TEXT("BT /F1 10 Tf 36 540 Td ("));
    put_pdf_string(buffer_text(&line), &page);
    buffer_put(&page, TEXT(") Tj ET"));

    buffer_put(&pdf, TEXT("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"));
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        begins[i] = pdf.len;
        buffer_printf(&pdf, "%zu 0 obj\n%s\nendobj\n", i + 1, objects[i]);
    }
    begins[COUNT - 1] = pdf.len;
    buffer_printf(&pdf, "%d 0 obj\n<< /Length %zu >>\nstream\n%s\nendstream\nendobj\n", COUNT, page.len, page.data);
    size_t table = pdf.len;
    buffer_printf(&pdf, "xref\n0 %d\n0000000000 65535 f \n", COUNT + 1);
    for (size_t i = 0; i < COUNT; i++) {
        buffer_printf(&pdf, "%010zu 00000 n \n", begins[i]);
    }
    buffer_printf(&pdf, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%zu\n%%%%EOF\n", COUNT + 1, table);
    buffer_put(buf, buffer_text(&pdf));
}
