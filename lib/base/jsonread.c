#include "base/jsonread.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"

struct tsl_jsonread {
    json_t *root;
};

static json_t *value(const struct tsl_jsonval *v)
{
    return (json_t *)(uintptr_t)v;
}

/* jansson's text quotes what it met with the file's own bytes: "invalid token near 'x'". */
static int fail(const json_error_t *e, const char *name, struct tsl_err *err)
{
    char what[JSON_ERROR_TEXT_LENGTH];
    char *near;
    snprintf(what, sizeof what, "%s", e->text);
    near = strstr(what, " near '");
    if (!near)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: line %d, column %d (byte %d): not JSON: %s", name,
                           e->line, e->column, e->position, tsl_quote(what).s);
    *near = '\0';
    near += strlen(" near '");
    if (*near)
        near[strlen(near) - 1] = '\0';
    if (strlen(near) > 24)
        strcpy(near + 21, "...");
    return tsl_err_set(err, TSL_EFORMAT,
                       "%s: line %d, column %d (byte %d): not JSON: %s near %s", name,
                       e->line, e->column, e->position, what, tsl_quote(near).s);
}

static int parse(struct tsl_jsonread **doc, struct tsl_slice text, size_t flags,
                 const char *name, struct tsl_err *err)
{
    struct tsl_jsonread *d = tsl_mem_alloc(1, sizeof *d, "a JSON document", err);
    json_error_t e;
    if (!d)
        return TSL_ENOMEM;
    d->root = json_loadb(text.data ? (const char *)text.data : "", text.len,
                         JSON_DECODE_ANY | JSON_ALLOW_NUL | flags, &e);
    if (!d->root) {
        tsl_mem_free(d);
        if (json_error_code(&e) == json_error_out_of_memory)
            return tsl_err_set(err, TSL_ENOMEM, "%s: out of memory for its JSON", name);
        return fail(&e, name, err);
    }
    *doc = d;
    return 0;
}

int tsl_jsonread_parse(struct tsl_jsonread **doc, struct tsl_slice text, const char *name,
                       struct tsl_err *err)
{
    return parse(doc, text, 0, name, err);
}

int tsl_jsonread_parse_unique(struct tsl_jsonread **doc, struct tsl_slice text,
                              const char *name, struct tsl_err *err)
{
    return parse(doc, text, JSON_REJECT_DUPLICATES, name, err);
}

void tsl_jsonread_destroy(struct tsl_jsonread *doc)
{
    if (!doc)
        return;
    json_decref(doc->root);
    tsl_mem_free(doc);
}

const struct tsl_jsonval *tsl_jsonread_root(const struct tsl_jsonread *doc)
{
    return (const struct tsl_jsonval *)doc->root;
}

enum tsl_jsonread_kind tsl_jsonread_kind(const struct tsl_jsonval *v)
{
    if (!v)
        return TSL_JSON_NONE;
    switch (json_typeof(value(v))) {
    case JSON_OBJECT: return TSL_JSON_OBJECT;
    case JSON_ARRAY: return TSL_JSON_ARRAY;
    case JSON_STRING: return TSL_JSON_STRING;
    case JSON_INTEGER: return TSL_JSON_INT;
    case JSON_REAL: return TSL_JSON_DOUBLE;
    case JSON_TRUE:
    case JSON_FALSE: return TSL_JSON_BOOL;
    case JSON_NULL: break;
    }
    return TSL_JSON_NULL;
}

const char *tsl_jsonread_kind_name(const struct tsl_jsonval *v)
{
    static const char *const names[] = { "nothing",  "null",     "true or false",
                                         "a number", "a number", "a string",
                                         "an array", "an object" };
    return names[tsl_jsonread_kind(v)];
}

const struct tsl_jsonval *tsl_jsonread_get(const struct tsl_jsonval *v, const char *key)
{
    if (tsl_jsonread_kind(v) != TSL_JSON_OBJECT)
        return NULL;
    return (const struct tsl_jsonval *)json_object_get(value(v), key);
}

bool tsl_jsonread_next(const struct tsl_jsonval *v, struct tsl_jsonread_member *m)
{
    if (tsl_jsonread_kind(v) != TSL_JSON_OBJECT)
        return false;
    m->at = m->at ? json_object_iter_next(value(v), m->at) : json_object_iter(value(v));
    if (!m->at)
        return false;
    m->key = (struct tsl_slice){ (const uint8_t *)json_object_iter_key(m->at),
                                 json_object_iter_key_len(m->at) };
    m->value = (const struct tsl_jsonval *)json_object_iter_value(m->at);
    return true;
}

size_t tsl_jsonread_size(const struct tsl_jsonval *v)
{
    enum tsl_jsonread_kind kind = tsl_jsonread_kind(v);
    return kind == TSL_JSON_ARRAY    ? json_array_size(value(v))
           : kind == TSL_JSON_OBJECT ? json_object_size(value(v))
                                     : 0;
}

const struct tsl_jsonval *tsl_jsonread_at(const struct tsl_jsonval *v, size_t i)
{
    if (tsl_jsonread_kind(v) != TSL_JSON_ARRAY)
        return NULL;
    return (const struct tsl_jsonval *)json_array_get(value(v), i);
}

bool tsl_jsonread_str(const struct tsl_jsonval *v, struct tsl_slice *out)
{
    if (tsl_jsonread_kind(v) != TSL_JSON_STRING)
        return false;
    *out = (struct tsl_slice){ (const uint8_t *)json_string_value(value(v)),
                               json_string_length(value(v)) };
    return true;
}

bool tsl_jsonread_int(const struct tsl_jsonval *v, int64_t *out)
{
    if (tsl_jsonread_kind(v) != TSL_JSON_INT)
        return false;
    *out = json_integer_value(value(v));
    return true;
}

bool tsl_jsonread_num(const struct tsl_jsonval *v, double *out)
{
    enum tsl_jsonread_kind kind = tsl_jsonread_kind(v);
    if (kind != TSL_JSON_INT && kind != TSL_JSON_DOUBLE)
        return false;
    *out = json_number_value(value(v));
    return true;
}

bool tsl_jsonread_bool(const struct tsl_jsonval *v, bool *out)
{
    if (tsl_jsonread_kind(v) != TSL_JSON_BOOL)
        return false;
    *out = json_is_true(value(v));
    return true;
}

char *tsl_jsonread_text(const struct tsl_jsonval *v, struct tsl_err *err)
{
    /* 15 digits give back every number that a person wrote: 0.15, not 0.14999999999999999 */
    const size_t how = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);
    size_t n = json_dumpb(value(v), NULL, 0, how);
    char *text = tsl_mem_alloc(n + 1, 1, "JSON", err);
    if (text)
        json_dumpb(value(v), text, n, how);
    return text;
}
