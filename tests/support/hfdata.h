/* hfdata.h - tokenizers from the text of a tokenizer.json, and ids as text, for tests.
 *
 * HF(parts, model) spells a file: parts are members with a comma behind each; what is not
 * named is left out, as the peer allows. */
#ifndef TSL_HFDATA_H
#define TSL_HFDATA_H

#include "support/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "text/tokfile_hf.h"

#define HF(parts, model) "{\"version\":\"1.0\"," parts "\"model\":" model "}"

/* a 1, b 2, c 3, ab 4; blanks separate. */
#define HF_WORDS                                                                         \
    "{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,"    \
    "\"c\":3,\"ab\":4}}"
#define HF_BLANKS "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"

static inline struct tsl_slice hf_str(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static inline int hf_try(struct tsl_hfpipe **p, const char *json, struct tsl_err *err)
{
    struct tsl_tokfile_hf_notes notes;
    return tsl_tokfile_hf_parse(p, hf_str(json), "f.json", &notes, err);
}

static inline struct tsl_hfpipe *hf_pipe(const char *json)
{
    struct tsl_err err = { 0 };
    struct tsl_hfpipe *p = NULL;
    assert_ok(hf_try(&p, json, &err), &err);
    return p;
}

static inline void hf_encode(const struct tsl_hfpipe *p, struct tsl_slice text,
                             struct tsl_tokens *out)
{
    struct tsl_err err = { 0 };
    size_t used = 0;
    void *coder = tsl_hfpipe_engine.coder_create(p, 4 << 20, &err);
    assert_non_null(coder);
    assert_ok(tsl_hfpipe_engine.encode(coder, text, true, true, &used, out, &err), &err);
    assert_int_equal(used, text.len);
    tsl_hfpipe_engine.coder_destroy(coder);
}

/* "1 2 4", or with spans "1[0,1) 2[2,3)". */
static inline void hf_print(const struct tsl_tokens *t, bool spans, char *buf, size_t cap)
{
    size_t n = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < t->n && n < cap; i++) {
        n += (size_t)snprintf(buf + n, cap - n, "%s%" PRIu32, i ? " " : "", t->ids[i]);
        if (spans && n < cap)
            n += (size_t)snprintf(buf + n, cap - n, "[%" PRIu32 ",%" PRIu32 ")",
                                  t->begin[i], t->end[i]);
    }
}

static inline void hf_gives(const struct tsl_hfpipe *p, const char *text, bool spans,
                            const char *want)
{
    struct tsl_tokens t;
    char got[4000];
    tsl_tokens_init(&t, TSL_WANT_SPANS | TSL_WANT_MARKS);
    hf_encode(p, hf_str(text), &t);
    hf_print(&t, spans, got, sizeof got);
    assert_string_equal(got, want);
    tsl_tokens_fini(&t);
}

#endif
