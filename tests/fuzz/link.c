/* Signed URLs of results and files, and the addresses of webhooks: only what we signed is taken, in the one spelling that
 * it has.
 *
 *   what is done: "result" or "file" makes one of the next line, a name, and changes it where the line after says; "url"
 *   and "token" are read as they are */
#include "blob/link.h"

#include <stdlib.h>

#include "engine/hook/hook.h"
#include "fuzz.h"

#define NOW_S 1764000000
#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ACCOUNT 42

static const uint8_t secret[32] = "a secret of thirty-two bytes...";
static const uint8_t other_secret[32] = "another secret of 32 bytes.....";

void fuzz_begin(void) {
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "result\na picture.png\nA",
        "result\n../../etc/passwd\nzz",
        "result\n\nB",
        "file\nb.docx\nC",
        "file\n.hidden\n \n",
        "url\nhttps://media.example/v1/artifacts/" HASH "/a.png?expires=1764003600&signature="
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "url\nhttps://media.example/v1/files/file-1764000000-abc123/content/a.png?owner=AAAAAAAAAAA&expires=1764003600"
        "&signature=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "token\nAAAAAAAAAAAAAAAAAAAAADQyLjEudGFzay11bmlmaWVkLTE3NjQwMDAwMDAtYWJjZDEyMzQ",
        "hook\nx\nK",
        NULL,
    };
    fuzz_seed_list("link", seeds);
}

/* Any other byte at any place, or a piece less: it is not ours any more. */
static bool change(struct text where, struct buffer *url) {
    if (where.len < 2) {
        return false;
    }
    size_t at = ((size_t)(uint8_t)where.ptr[0] * 7 + (where.len > 2 ? (uint8_t)where.ptr[2] : 0)) % url->len;
    char before = url->data[at];
    url->data[at] = where.ptr[1];
    return url->data[at] != before;
}

static bool is_ours(struct text url, struct link *ret, struct file_link *ret_file) {
    struct link link;
    struct file_link file;
    bool result = link_check_url(url, secret, NOW_S, &link) == OK;
    bool uploaded = file_link_check_url(url, secret, NOW_S, &file) == OK;
    fuzz_hold(!(result && uploaded));
    if (result) {
        *ret = link;
    }
    if (uploaded) {
        *ret_file = file;
    }
    return result || uploaded;
}

static struct text path_of(struct text url, struct text *ret_query) {
    *ret_query = url;
    return text_cut(ret_query, '?');
}

static void hold_result(struct text name, struct text where) {
    struct buffer url;
    struct link link = { .expires_s = 0 };
    struct file_link file;
    struct text query;
    buffer_init(&url, 4096);
    buffer_put(&url, TEXT("https://h"));
    link_put(&url, secret, HASH, name, NOW_S + 60);
    fuzz_hold(buffer_ok(&url));
    fuzz_hold(is_ours(buffer_text(&url), &link, &file));
    fuzz_hold(strcmp(link.hash, HASH) == 0 && link.expires_s == NOW_S + 60);
    fuzz_hold(link.name[0] != '\0' && link.name[0] != '.' && strchr(link.name, '/') == NULL);
    struct text whole = { url.data + 9, url.len - 9 };
    struct text path = path_of(whole, &query);
    fuzz_hold(link_check(path, query, secret, NOW_S + 60 + 1, &link) == ERR_RESULT_EXPIRED);
    fuzz_hold(link_check(path, query, other_secret, NOW_S, &link) == ERR_FILE_NOT_FOUND);
    if (change(where, &url)) {
        struct text changed = buffer_text(&url);
        /* the host, and what is before it, is anybody's */
        bool same = changed.len > 9 && is_ours(changed, &link, &file);
        struct buffer ours;
        buffer_init(&ours, 4096);
        link_put(&ours, secret, HASH, name, NOW_S + 60);
        fuzz_hold(!same || text_ends(changed, buffer_text(&ours)), "%.*s", TEXT_ARG(changed));
        buffer_fini(&ours);
    }
    buffer_fini(&url);
}

static void hold_file(struct text name, struct text where) {
    struct buffer url;
    struct link link;
    struct file_link file = { .account = 0 };
    struct file_id id;
    struct text query;
    fuzz_hold(file_id_parse(TEXT("file-1764000000-abc123"), &id));
    buffer_init(&url, 4096);
    buffer_put(&url, TEXT("https://h"));
    file_link_put(&url, secret, ACCOUNT, &id, name, NOW_S + 60);
    fuzz_hold(buffer_ok(&url));
    fuzz_hold(is_ours(buffer_text(&url), &link, &file));
    fuzz_hold(file.account == ACCOUNT && strcmp(file.id.string, id.string) == 0);
    struct text whole = { url.data + 9, url.len - 9 };
    struct text path = path_of(whole, &query);
    fuzz_hold(file_link_check(path, query, secret, NOW_S + 61, &file) == ERR_RESULT_EXPIRED);
    fuzz_hold(file_link_check(path, query, other_secret, NOW_S, &file) == ERR_FILE_NOT_FOUND);
    if (change(where, &url) && is_ours(buffer_text(&url), &link, &file)) {
        struct buffer ours;
        buffer_init(&ours, 4096);
        file_link_put(&ours, secret, ACCOUNT, &id, name, NOW_S + 60);
        fuzz_hold(text_ends(buffer_text(&url), buffer_text(&ours)), "%.*s", TEXT_ARG(buffer_text(&url)));
        buffer_fini(&ours);
    }
    buffer_fini(&url);
}

static void hold_hook(struct text where) {
    struct buffer url;
    struct task_id id;
    struct hook_token token;
    static const struct text prefix = TEXT("https://h" HOOK_PATH_PREFIX);
    fuzz_hold(task_id_parse(TEXT("task-unified-1764000000-abcd1234"), &id));
    buffer_init(&url, 4096);
    hook_put_url(&url, secret, TEXT("https://h"), ACCOUNT, &id, 3);
    fuzz_hold(buffer_ok(&url) && url.len > prefix.len);
    struct text text = { url.data + prefix.len, url.len - prefix.len };
    fuzz_hold(hook_token_read(text, secret, &token));
    fuzz_hold(token.account == ACCOUNT && token.number == 3 && strcmp(token.id.string, id.string) == 0);
    fuzz_hold(!hook_token_read(text, other_secret, &token));
    if (where.len >= 2) {
        size_t at = prefix.len + (uint8_t)where.ptr[0] % text.len;
        bool same = url.data[at] == where.ptr[1];
        url.data[at] = where.ptr[1];
        fuzz_hold(hook_token_read(text, secret, &token) == same);
    }
    buffer_fini(&url);
}

void fuzz_one(struct text input) {
    struct text what = fuzz_line(&input);
    if (text_equal(what, TEXT("url"))) {
        struct link link;
        struct file_link file;
        fuzz_hold(!is_ours(input, &link, &file));
    } else if (text_equal(what, TEXT("token"))) {
        struct hook_token token;
        fuzz_hold(!hook_token_read(input, secret, &token));
    } else if (text_equal(what, TEXT("hook"))) {
        fuzz_line(&input);
        hold_hook(input);
    } else if (text_equal(what, TEXT("result"))) {
        struct text name = fuzz_line(&input);
        hold_result(name, input);
    } else if (text_equal(what, TEXT("file"))) {
        struct text name = fuzz_line(&input);
        hold_file(name, input);
    }
}
