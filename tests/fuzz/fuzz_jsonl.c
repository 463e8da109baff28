/* fuzz_jsonl - arbitrary bytes are taken or refused as jansson does, and the same fields
 * are found in them. */
#include <stdlib.h>
#include <string.h>

#include "base/jsonread.h"
#include "text/jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static const struct tsl_jsonval *walk(const struct tsl_jsonval *v,
                                      const struct tsl_jsonl_path *p)
{
    for (size_t i = 0; i < p->nkeys; i++) {
        char key[16];
        memcpy(key, p->keys[i].data, p->keys[i].len);
        key[p->keys[i].len] = '\0';
        v = tsl_jsonread_get(v, key);
    }
    return v;
}

static void same(const struct tsl_jsonval *want, const struct tsl_jsonl_value *got)
{
    static const enum tsl_jsonl_kind kinds[] = { TSL_JSONL_NONE,    TSL_JSONL_LITERAL,
                                                 TSL_JSONL_LITERAL, TSL_JSONL_NUMBER,
                                                 TSL_JSONL_NUMBER,  TSL_JSONL_STRING,
                                                 TSL_JSONL_ARRAY,   TSL_JSONL_OBJECT };
    must(got->kind == kinds[tsl_jsonread_kind(want)]);
    if (got->kind == TSL_JSONL_STRING) {
        struct tsl_slice s;
        must(tsl_jsonread_str(want, &s));
        uint8_t *text = malloc(got->raw.len + 1); /* as large as promised */
        size_t n = tsl_jsonl_decode(got->raw, text);
        must(n <= got->raw.len && n == s.len && memcmp(text, s.data, n) == 0);
        must(got->escaped || n == got->raw.len);
        free(text);
    } else if (got->kind == TSL_JSONL_NUMBER) {
        int64_t i;
        uint64_t u;
        bool whole = tsl_jsonl_u64(got, INT64_MAX, &u);
        must(!whole || (tsl_jsonread_int(want, &i) && (uint64_t)i == u));
        must(whole || !tsl_jsonread_int(want, &i) || i <= 0);
    } else if (got->kind == TSL_JSONL_ARRAY) {
        size_t at = 0, n = 0;
        uint64_t u;
        int64_t i;
        int rc;
        while ((rc = tsl_jsonl_item(got->raw, &at, UINT32_MAX, &u, NULL)) == 1) {
            must(tsl_jsonread_int(tsl_jsonread_at(want, n), &i) && (uint64_t)i == u);
            n++;
        }
        must(rc < 0 || n == tsl_jsonread_size(want));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const specs[] = { "a", "a.b", "b", "a.b.c" };
    struct tsl_jsonl_path paths[4];
    struct tsl_jsonl_value values[4];
    char storage[4][16];
    struct tsl_jsonread *doc;
    struct tsl_err err = { 0 }, why = { 0 };
    for (size_t i = 0; i < 4; i++)
        must(tsl_jsonl_path_init(&paths[i], specs[i], storage[i], NULL) == 0);
    int rc = tsl_jsonl_find((struct tsl_slice){ data, size }, paths, 4, values, &err);
    int want = tsl_jsonread_parse(&doc, (struct tsl_slice){ data, size }, "it", &why);
    enum tsl_jsonread_kind kind = TSL_JSON_NONE;
    if (want == 0)
        kind = tsl_jsonread_kind(tsl_jsonread_root(doc));
    bool takes = kind == TSL_JSON_OBJECT || kind == TSL_JSON_ARRAY;
    /* jansson 2.14 overlooks a NUL byte behind a number, and takes none in a key */
    must(takes ? rc == 0 || memchr(data, 0, size)
               : rc < 0 || strstr(why.msg, "NUL byte in object key") != NULL);
    must(rc == 0 || (rc == TSL_EFORMAT && strncmp(err.msg, "column ", 7) == 0));
    for (size_t i = 0; i < 4 && rc == 0 && want == 0; i++)
        same(walk(tsl_jsonread_root(doc), &paths[i]), &values[i]);
    if (want == 0)
        tsl_jsonread_destroy(doc);
    return 0;
}
