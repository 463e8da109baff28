#include "support/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/test.h"

uint8_t *fixture_get(const char *name, size_t *n)
{
    char path[512] = "";
    size_t at = 0;
    for (unsigned up = 0; up < 12; up++) {
        snprintf(path + at, sizeof path - at, "tests/data/%s", name);
        if (access(path, R_OK) == 0)
            break;
        at += (size_t)snprintf(path + at, sizeof path - at, "../");
    }
    uint8_t *data = file_get(path, n);
    if (!data)
        fail_msg("tests/data/%s is not there", name);
    return data;
}

size_t fixture_each(const char *name,
                    void (*each)(const struct tsl_jsonval *row, void *ctx), void *ctx)
{
    size_t n, count = 0;
    uint8_t *data = fixture_get(name, &n), *p = data, *end = data + n;
    while (p < end) {
        struct tsl_err err = { 0 };
        struct tsl_jsonread *doc = NULL;
        uint8_t *line = memchr(p, '\n', (size_t)(end - p));
        if (!line)
            line = end;
        if (line > p) {
            struct tsl_slice text = { p, (size_t)(line - p) };
            assert_ok(tsl_jsonread_parse(&doc, text, name, &err), &err);
            each(tsl_jsonread_root(doc), ctx);
            tsl_jsonread_destroy(doc);
            count++;
        }
        p = line + 1;
    }
    free(data);
    return count;
}

struct tsl_slice fixture_str(const struct tsl_jsonval *row, const char *key)
{
    struct tsl_slice s = { NULL, 0 };
    if (!tsl_jsonread_str(tsl_jsonread_get(row, key), &s))
        fail_msg("no string \"%s\"", key);
    return s;
}

int64_t fixture_int(const struct tsl_jsonval *row, const char *key)
{
    int64_t v = 0;
    if (!tsl_jsonread_int(tsl_jsonread_get(row, key), &v))
        fail_msg("no integer \"%s\"", key);
    return v;
}

int fixture_bool(const struct tsl_jsonval *row, const char *key, int missing)
{
    bool v = missing;
    (void)tsl_jsonread_bool(tsl_jsonread_get(row, key), &v);
    return v;
}

int64_t fixture_int_at(const struct tsl_jsonval *array, size_t i)
{
    int64_t v = 0;
    if (!tsl_jsonread_int(tsl_jsonread_at(array, i), &v))
        fail_msg("no integer at %zu", i);
    return v;
}
