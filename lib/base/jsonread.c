#include "base/jsonread.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
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

/* ---- as text again ---- */

struct out {
    char *text;
    size_t len, cap;
    bool failed;
};

/* Room for n bytes more, and the NUL. */
static char *room(struct out *o, size_t n)
{
    if (!o->failed &&
        tsl_mem_grow(&o->text, &o->cap, o->len + n + 1, 1, "JSON", NULL) < 0)
        o->failed = true;
    return o->failed ? NULL : o->text + o->len;
}

static void put(struct out *o, const char *s, size_t n)
{
    char *p = room(o, n);
    if (p) {
        memcpy(p, s, n);
        o->len += n;
    }
}

static void put_string(struct out *o, struct tsl_slice s)
{
    char *p = room(o, TSL_JSON_ESCAPED_MAX * s.len + 2);
    if (!p)
        return;
    *p++ = '"';
    p = tsl_json_escape(p, s.data, s.len);
    *p++ = '"';
    o->len = (size_t)(p - o->text);
}

/* So many digits as give the same number back, for it is read again; 1 stays 1.0, no integer. */
static void put_number(struct out *o, const json_t *v)
{
    char s[TSL_JSON_NUMBER + 2];
    if (json_is_integer(v))
        snprintf(s, sizeof s, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (!strpbrk(tsl_json_shortest(s, json_real_value(v)), ".en"))
        strcat(s, ".0");
    put(o, s, strlen(s));
}

/* Texts are nested by 2048 at most: jansson's JSON_PARSER_MAX_DEPTH. */
static void put_value(struct out *o, const struct tsl_jsonval *v)
{
    struct tsl_jsonread_member m = { 0 };
    struct tsl_slice s;
    switch (json_typeof(value(v))) {
    case JSON_OBJECT:
        put(o, "{", 1);
        for (bool first = true; tsl_jsonread_next(v, &m); first = false) {
            put(o, ",", !first);
            put_string(o, m.key);
            put(o, ":", 1);
            put_value(o, m.value);
        }
        put(o, "}", 1);
        return;
    case JSON_ARRAY:
        put(o, "[", 1);
        for (size_t i = 0; i < tsl_jsonread_size(v); i++) {
            put(o, ",", i > 0);
            put_value(o, tsl_jsonread_at(v, i));
        }
        put(o, "]", 1);
        return;
    case JSON_STRING:
        tsl_jsonread_str(v, &s);
        put_string(o, s);
        return;
    case JSON_INTEGER:
    case JSON_REAL: put_number(o, value(v)); return;
    case JSON_TRUE: put(o, "true", 4); return;
    case JSON_FALSE: put(o, "false", 5); return;
    case JSON_NULL: put(o, "null", 4); return;
    }
}

char *tsl_jsonread_text(const struct tsl_jsonval *v, struct tsl_err *err)
{
    struct out o = { .len = 0 };
    put_value(&o, v);
    if (o.failed) {
        tsl_mem_free(o.text);
        tsl_err_nomem(err, o.len, "JSON");
        return NULL;
    }
    o.text[o.len] = '\0';
    return o.text;
}
