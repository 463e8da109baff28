/* fuzz_json - any bytes as JSON: refused with a message, or a tree of values that is the same
 * when it has been written and read again. */
#include "base/jsonread.h"
#include "base/mem.h"
#include "support/fuzzfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Touches everything; how many values there are. */
static size_t walk(const struct tsl_jsonval *v)
{
    struct tsl_jsonread_member m = { 0 };
    struct tsl_slice s;
    int64_t whole;
    double number;
    size_t n = 1, members = 0;
    must(tsl_jsonread_kind(v) != TSL_JSON_NONE && tsl_jsonread_kind_name(v)[0]);
    if (tsl_jsonread_str(v, &s))
        must(s.data[s.len] == 0);
    if (tsl_jsonread_int(v, &whole))
        must(tsl_jsonread_num(v, &number) && number == (double)whole);
    while (tsl_jsonread_next(v, &m)) {
        must(m.key.data[m.key.len] == 0);
        must(tsl_jsonread_get(v, (const char *)m.key.data) == m.value);
        n += walk(m.value);
        members++;
    }
    if (tsl_jsonread_kind(v) == TSL_JSON_OBJECT)
        must(members == tsl_jsonread_size(v));
    else
        for (size_t i = 0; i < tsl_jsonread_size(v); i++)
            n += walk(tsl_jsonread_at(v, i));
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_jsonread *doc, *again;
    struct tsl_err err = { 0 };
    struct tsl_slice text = { data, size };
    int rc = tsl_jsonread_parse(&doc, text, "f", &err);
    must_tell(rc, &err);
    if (rc < 0)
        return 0;
    if (tsl_jsonread_parse_unique(&again, text, "f", NULL) == 0)
        tsl_jsonread_destroy(again);
    size_t n = walk(tsl_jsonread_root(doc));
    char *first = tsl_jsonread_text(tsl_jsonread_root(doc), &err);
    must(first != NULL);
    text = (struct tsl_slice){ (const uint8_t *)first, strlen(first) };
    must(tsl_jsonread_parse_unique(&again, text, "f", &err) == 0);
    must(walk(tsl_jsonread_root(again)) == n);
    char *second = tsl_jsonread_text(tsl_jsonread_root(again), &err);
    must(second && strcmp(first, second) == 0);
    tsl_mem_free(first);
    tsl_mem_free(second);
    tsl_jsonread_destroy(again);
    tsl_jsonread_destroy(doc);
    return 0;
}
