/* fixture-tokenizers DIR...: does each folder's vocabulary give what expected/<NAME>.jsonl
 * says?  Exit 0 when every case agrees, 1 when one does not, 2 when that could not be
 * found out.  The first differences are printed.
 *
 * A folder is laid out as shared/data/tokenizers: a vocabulary and expected/hf.jsonl,
 * google.jsonl, bert4keras.jsonl, google_diff.jsonl, hf_pairs.jsonl, hf_invalid.jsonl, tiktoken.jsonl or spm.jsonl; or, as
 * hf-components, only expected results of single parts.  Every case is run with the fast
 * engine and with the slow one, whole and in stretches. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/jsonread.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/hfpipe.h"
#include "text/tokenizer.h"
#include "text/tokfile.h"
#include "text/tokfile_gpt2.h"
#include "text/tokfile_hf.h"

typedef const struct tsl_jsonval *json;

enum { SHOWN_MAX = 3 };

static struct {
    const char *file, *how;
    size_t cases, wrong;
} now;

static size_t all_wrong;
static bool broken; /* something could not be tried */

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static bool is(struct tsl_slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

static struct tsl_slice str(json v, const char *key)
{
    struct tsl_slice s = { NULL, 0 };
    tsl_jsonread_str(tsl_jsonread_get(v, key), &s);
    return s;
}

static int64_t num(json v)
{
    int64_t n = -1;
    tsl_jsonread_int(v, &n);
    return n;
}

static void cannot(const char *what, const struct tsl_err *err)
{
    printf("%s: %s\n", what, err->msg);
    broken = true;
}

static void print_text(struct tsl_slice s)
{
    for (size_t i = 0; i < s.len && i < 160; i++) {
        if (s.data[i] < 0x20 || s.data[i] == 0x7f)
            printf("\\x%02x", s.data[i]);
        else
            putchar(s.data[i]);
    }
    if (s.len > 160)
        printf("...");
}

/* Begins the report of one that differs; false where enough have been shown. */
static bool differs(struct tsl_slice id, struct tsl_slice text, const char *what)
{
    now.wrong++;
    if (now.wrong > SHOWN_MAX)
        return false;
    printf("%s (%s): case %.*s: %s\n  text ", now.file, now.how, (int)id.len,
           id.len ? (const char *)id.data : "", what);
    print_text(text);
    printf("\n");
    return true;
}

static void print_ints(const char *what, const uint32_t *a, size_t n)
{
    printf("  %s", what);
    for (size_t i = 0; i < n && i < 60; i++)
        printf(" %" PRIu32, a[i]);
    printf(n > 60 ? " ...\n" : "\n");
}

static void print_json_ints(const char *what, json v)
{
    size_t n = tsl_jsonread_size(v);
    printf("  %s", what);
    for (size_t i = 0; i < n && i < 60; i++)
        printf(" %" PRId64, num(tsl_jsonread_at(v, i)));
    printf(n > 60 ? " ...\n" : "\n");
}

static bool same_ids(const struct tsl_tokens *t, json ids)
{
    if (tsl_jsonread_size(ids) != t->n)
        return false;
    for (size_t i = 0; i < t->n; i++)
        if (num(tsl_jsonread_at(ids, i)) != (int64_t)t->ids[i])
            return false;
    return true;
}

/* Code points before byte i; a byte inside of one counts as its beginning (up: its end). */
/* -1: i is inside of a character. */
static int64_t chars_before(struct tsl_slice s, size_t i)
{
    int64_t n = 0;
    for (size_t k = 0; k < i && k < s.len; k++)
        n += (s.data[k] & 0xc0) != 0x80;
    return i < s.len && (s.data[i] & 0xc0) == 0x80 ? -1 : n;
}

/* pairs: [[begin, end], ...]; in code points or bytes of text. */
static bool same_offsets(const struct tsl_tokens *t, struct tsl_slice text, json pairs,
                         bool chars)
{
    if (tsl_jsonread_size(pairs) != t->n)
        return false;
    for (size_t i = 0; i < t->n; i++) {
        json pair = tsl_jsonread_at(pairs, i);
        int64_t b = t->begin[i], e = t->end[i];
        if (chars) {
            b = chars_before(text, t->begin[i]);
            e = chars_before(text, t->end[i]);
        }
        if (num(tsl_jsonread_at(pair, 0)) != b || num(tsl_jsonread_at(pair, 1)) != e)
            return false;
    }
    return true;
}

static void show_offsets(const struct tsl_tokens *t, struct tsl_slice text, json pairs,
                         bool chars)
{
    for (size_t i = 0; i < t->n && i < tsl_jsonread_size(pairs); i++) {
        json pair = tsl_jsonread_at(pairs, i);
        int64_t b = t->begin[i], e = t->end[i];
        if (chars) {
            b = chars_before(text, t->begin[i]);
            e = chars_before(text, t->end[i]);
        }
        if (num(tsl_jsonread_at(pair, 0)) == b && num(tsl_jsonread_at(pair, 1)) == e)
            continue;
        printf("  token %zu (%" PRIu32 "): [%" PRId64 ",%" PRId64 "), expected [%" PRId64
               ",%" PRId64 ")\n",
               i, t->ids[i], b, e, num(tsl_jsonread_at(pair, 0)),
               num(tsl_jsonread_at(pair, 1)));
        return;
    }
}

/* ---- files of cases ------------------------------------------------------------------- */

struct cases {
    uint8_t *data;
    struct tsl_tokfile_lines lines;
    struct tsl_jsonread *doc;
    struct tsl_err err;
};

static bool cases_open(struct cases *c, const char *path)
{
    size_t len;
    *c = (struct cases){ .data = NULL };
    if (tsl_tokfile_read(&c->data, &len, path, &c->err) < 0) {
        cannot(path, &c->err);
        return false;
    }
    c->lines.rest = (struct tsl_slice){ c->data, len };
    return true;
}

/* The next case; NULL at the end. */
static json cases_next(struct cases *c)
{
    struct tsl_slice line;
    tsl_jsonread_destroy(c->doc);
    c->doc = NULL;
    if (broken || !tsl_tokfile_line(&c->lines, &line))
        return NULL;
    if (tsl_jsonread_parse(&c->doc, line, now.file, &c->err) < 0) {
        cannot("a case", &c->err);
        return NULL;
    }
    now.cases++;
    return tsl_jsonread_root(c->doc);
}

static void cases_close(struct cases *c)
{
    tsl_jsonread_destroy(c->doc);
    tsl_mem_free(c->data);
}

static void begin(const char *file, const char *how)
{
    now.file = file;
    now.how = how;
    now.cases = now.wrong = 0;
}

static void finish(void)
{
    printf("%-60s %-22s %5zu of %5zu agree\n", now.file, now.how, now.cases - now.wrong,
           now.cases);
    all_wrong += now.wrong;
}

/* ---- whole tokenizers ----------------------------------------------------------------- */

static int encode_all(struct tsl_coder *c, struct tsl_slice text, struct tsl_tokens *out,
                      struct tsl_err *err)
{
    size_t used;
    tsl_tokens_reset(out);
    return tsl_coder_encode(c, text, true, true, &used, out, err);
}

/* In stretches of about step bytes; spans are moved to count from the row. */
static int encode_cut(struct tsl_coder *c, struct tsl_slice text, size_t step,
                      struct tsl_tokens *out, struct tsl_err *err)
{
    size_t at = 0, want = step;
    bool first = true;
    tsl_tokens_reset(out);
    for (;;) {
        size_t n = text.len - at < want ? text.len - at : want, used = 0, from = out->n;
        bool last = at + n == text.len;
        uint8_t *copy = malloc(n + 1); /* nothing behind the stretch may be read */
        if (n)
            memcpy(copy, text.data + at, n);
        int rc = tsl_coder_encode(c, (struct tsl_slice){ copy, n }, first, last, &used,
                                  out, err);
        free(copy);
        for (size_t i = from; rc == 0 && i < out->n; i++) {
            out->begin[i] += (uint32_t)at;
            out->end[i] += (uint32_t)at;
        }
        if (rc < 0 || last)
            return rc;
        want = used ? step : want * 2;
        first = first && !used;
        at += used;
    }
}

static struct tsl_slice text_of(json v, uint8_t **buf)
{
    struct tsl_slice s = str(v, "text"), b64 = str(v, "b64");
    *buf = NULL;
    if (!b64.data)
        return s.data ? s : slice("");
    *buf = malloc(b64.len + 1);
    int64_t n = tsl_tokfile_base64(b64, *buf);
    return (struct tsl_slice){ *buf, n < 0 ? 0 : (size_t)n };
}

enum { MODE_HF, MODE_TIKTOKEN, MODE_SPM };

static bool same_ends(const struct tsl_tokens *t, json ends)
{
    if (tsl_jsonread_size(ends) != t->n)
        return false;
    for (size_t i = 0; i < t->n; i++)
        if (num(tsl_jsonread_at(ends, i)) != (int64_t)t->end[i])
            return false;
    return true;
}

static void check_case(json v, struct tsl_slice id, struct tsl_slice text, json ids,
                       const struct tsl_tokens *t, bool offsets_count, bool slow)
{
    json offsets = tsl_jsonread_get(v, "offsets"),
         bytes = tsl_jsonread_get(v, "byte_offsets");
    /* the slow form's spans are Hugging Face's: a part of a character stands for all of it */
    json ends = slow ? NULL : tsl_jsonread_get(v, "byte_ends");
    if (!same_ids(t, ids)) {
        if (differs(id, text, "other ids")) {
            print_ints("ids     ", t->ids, t->n);
            print_json_ints("expected", ids);
        }
    } else if (ids != tsl_jsonread_get(v, "ids") || !offsets_count) {
        return;
    } else if (offsets && !same_offsets(t, text, offsets, true)) {
        if (differs(id, text, "other offsets"))
            show_offsets(t, text, offsets, true);
    } else if (bytes && !same_offsets(t, text, bytes, false)) {
        if (differs(id, text, "other byte offsets"))
            show_offsets(t, text, bytes, false);
    } else if (ends && !same_ends(t, ends)) {
        if (differs(id, text, "other ends of tokens"))
            print_ints("ends    ", t->end, t->n);
    }
}

/* Where the peer's decoded text is known, or must be the text again. */
static void check_decoded(struct tsl_coder *c, json v, struct tsl_slice id,
                          struct tsl_slice text, const struct tsl_tokens *t)
{
    struct tsl_slice want = str(v, "decoded");
    uint8_t *got = NULL;
    size_t len = 0, cap = 0;
    struct tsl_err err = { 0 };
    if (!want.data && tsl_jsonread_get(v, "byte_ends"))
        want = text;
    if (!want.data)
        return;
    if (tsl_coder_decode(c, t->ids, t->n, false, &got, &len, &cap, &err) < 0) {
        if (differs(id, text, "not decoded"))
            printf("  %s\n", err.msg);
    } else if (len != want.len || (len && memcmp(got, want.data, len) != 0)) {
        if (differs(id, text, "decodes to another text")) {
            printf("  decoded ");
            print_text((struct tsl_slice){ got, len });
            printf("\n");
        }
    }
    tsl_mem_free(got);
}

static const char *how_of(const char *path, const struct tsl_tokenizer *t, bool slow,
                          const char *more)
{
    static char how[64];
    const char *slash = strrchr(path, '/');
    snprintf(how, sizeof how, "%.12s %s%s", slash ? slash + 1 : path,
             slow ? "slow" : tsl_tokenizer_engine(t), more);
    return how;
}

static struct tsl_tokenizer *open_one(const char *vocab, struct tsl_tokenizer_opts o)
{
    struct tsl_err err = { 0 };
    struct tsl_tokenizer *t = NULL;
    if (tsl_tokenizer_open(&t, vocab, &o, &err) < 0)
        cannot(vocab, &err);
    return t;
}

/* diff: a file of cases, by id, that differ from those in path (google_diff); NULL: none. */
static json find_case(struct tsl_jsonread *const *docs, size_t n, struct tsl_slice id)
{
    for (size_t i = 0; i < n; i++) {
        struct tsl_slice s = str(tsl_jsonread_root(docs[i]), "id");
        if (s.len == id.len && memcmp(s.data, id.data, id.len) == 0)
            return tsl_jsonread_root(docs[i]);
    }
    return NULL;
}

static void run_cases(const char *path, const char *label, const char *vocab,
                      struct tsl_tokenizer_opts o, const char *ids_key,
                      struct tsl_jsonread *const *diff, size_t ndiff, bool cut)
{
    struct cases cases;
    struct tsl_err err = { 0 };
    struct tsl_tokens t;
    json v;
    struct tsl_tokenizer *tokenizer = open_one(vocab, o);
    struct tsl_coder *c = tokenizer ? tsl_coder_create(tokenizer, 4 << 20, &err) : NULL;
    tsl_tokens_init(&t, TSL_WANT_SPANS | TSL_WANT_MARKS);
    struct tsl_tokens bare;
    tsl_tokens_init(&bare, 0);
    if (tokenizer && !c)
        cannot(vocab, &err);
    if (c)
        begin(path, how_of(vocab, tokenizer, o.slow, label));
    if (c && cases_open(&cases, path)) {
        while ((v = cases_next(&cases))) {
            uint8_t *buf;
            struct tsl_slice text = text_of(v, &buf), id = str(v, "id");
            json other = find_case(diff, ndiff, id), ids = tsl_jsonread_get(v, ids_key);
            if (other)
                ids = tsl_jsonread_get(other, "ids");
            if (!ids)
                ids = tsl_jsonread_get(v, "ids");
            err = (struct tsl_err){ 0 };
            size_t was = now.wrong;
            int rc = encode_all(c, text, &t, &err);
            if (rc == 0)
                check_case(v, id, text, ids, &t, !diff, o.slow);
            if (rc == 0 && now.wrong == was && !diff)
                check_decoded(c, v, id, text, &t);
            if (rc == 0 && now.wrong == was) {
                rc = encode_all(c, text, &bare, &err);
                if (rc == 0 && !same_ids(&bare, ids) &&
                    differs(id, text, "other ids without spans")) {
                    print_ints("ids     ", bare.ids, bare.n);
                    print_json_ints("expected", ids);
                }
            }
            for (size_t step = 1; cut && rc == 0 && now.wrong == was && step < 300;
                 step = step * 3 + 1) {
                rc = encode_cut(c, text, step, &t, &err);
                if (rc == 0 && !same_ids(&t, ids) &&
                    differs(id, text, "other ids in stretches")) {
                    print_ints("ids     ", t.ids, t.n);
                    print_json_ints("expected", ids);
                } else if (rc == 0) {
                    check_case(v, id, text, ids, &t, !diff, o.slow);
                }
            }
            if (rc < 0 && differs(id, text, "not encoded"))
                printf("  %s\n", err.msg);
            free(buf);
        }
        cases_close(&cases);
        finish();
    }
    tsl_tokens_fini(&t);
    tsl_tokens_fini(&bare);
    tsl_coder_destroy(c);
    tsl_tokenizer_destroy(tokenizer);
}

static void run_both(const char *path, const char *label, const char *vocab,
                     struct tsl_tokenizer_opts o, const char *ids_key)
{
    run_cases(path, label, vocab, o, ids_key, NULL, 0, true);
    o.slow = true;
    run_cases(path, label, vocab, o, ids_key, NULL, 0, true);
}

static void run_google(const char *diff_path, const char *hf_path, const char *vocab)
{
    struct tsl_jsonread *docs[500];
    size_t n = 0;
    uint8_t *data;
    size_t len;
    struct tsl_err err = { 0 };
    struct tsl_slice line;
    if (tsl_tokfile_read(&data, &len, diff_path, &err) < 0) {
        cannot(diff_path, &err);
        return;
    }
    struct tsl_tokfile_lines l = { .rest = { data, len } };
    while (n < 500 && tsl_tokfile_line(&l, &line))
        if (tsl_jsonread_parse(&docs[n], line, diff_path, &err) == 0)
            n++;
    struct tsl_tokenizer_opts o = { .rules = TSL_RULES_GOOGLE };
    run_cases(hf_path, " google", vocab, o, "ids", docs, n, true);
    for (size_t i = 0; i < n; i++)
        tsl_jsonread_destroy(docs[i]);
    tsl_mem_free(data);
}

static void run_pairs(const char *path, const char *vocab)
{
    struct cases cases;
    struct tsl_tokens a, b, out;
    uint8_t *types = NULL;
    size_t types_cap = 0;
    struct tsl_err err = { 0 };
    json v;
    struct tsl_tokfile_hf_notes notes;
    struct tsl_hfpipe *pipe = NULL;
    uint8_t *data = NULL;
    size_t len = 0;
    struct tsl_tokenizer *t = open_one(vocab, (struct tsl_tokenizer_opts){ 0 });
    struct tsl_coder *c = t ? tsl_coder_create(t, 4 << 20, &err) : NULL;
    tsl_tokens_init(&a, TSL_WANT_SPANS | TSL_WANT_MARKS);
    tsl_tokens_init(&b, TSL_WANT_SPANS | TSL_WANT_MARKS);
    tsl_tokens_init(&out, TSL_WANT_SPANS);
    if (!c || tsl_tokfile_read(&data, &len, vocab, &err) < 0 ||
        tsl_tokfile_hf_parse(&pipe, (struct tsl_slice){ data, len }, vocab, &notes,
                             &err) < 0)
        cannot(vocab, &err);
    else if (begin(path, how_of(vocab, t, false, "")), cases_open(&cases, path)) {
        while ((v = cases_next(&cases))) {
            struct tsl_slice sa = str(v, "a"), sb = str(v, "b");
            struct tsl_truncation cut = { .max_length = (size_t)num(
                                              tsl_jsonread_get(v, "max_length")),
                                          .left = is(str(v, "direction"), "Left") };
            struct tsl_postproc_opts o = { .truncation = &cut };
            json ids = tsl_jsonread_get(v, "ids"),
                 type_ids = tsl_jsonread_get(v, "type_ids");
            json offsets = tsl_jsonread_get(v, "offsets");
            tsl_tokens_reset(&out);
            int rc = encode_all(c, sa, &a, &err);
            if (rc == 0)
                rc = encode_all(c, sb, &b, &err);
            if (rc == 0)
                rc = tsl_postproc_wrap(&pipe->postproc, &a, sb.data ? &b : NULL, &o, &out,
                                       &types, &types_cap, &err);
            bool good = rc == 0 && same_ids(&out, ids);
            struct tsl_slice text = sa;
            for (size_t i = 0; good && i < out.n; i++) {
                /* an offset counts in the text that its type id says */
                json pair = tsl_jsonread_at(offsets, i);
                text = types[i] && sb.data ? sb : sa;
                good =
                    num(tsl_jsonread_at(type_ids, i)) == types[i] &&
                    num(tsl_jsonread_at(pair, 0)) == chars_before(text, out.begin[i]) &&
                    num(tsl_jsonread_at(pair, 1)) == chars_before(text, out.end[i]);
            }
            if (!good && differs(slice("pair"), sa, rc < 0 ? err.msg : "other tokens")) {
                print_ints("ids     ", out.ids, out.n);
                print_json_ints("expected", ids);
            }
        }
        cases_close(&cases);
        finish();
    }
    tsl_mem_free(data);
    tsl_mem_free(types);
    tsl_hfpipe_destroy(pipe);
    tsl_tokens_fini(&a);
    tsl_tokens_fini(&b);
    tsl_tokens_fini(&out);
    tsl_coder_destroy(c);
    tsl_tokenizer_destroy(t);
}

/* ---- single parts --------------------------------------------------------------------- */

/* The vocabulary of the fixtures of added tokens and of post-processing. */
static const char toy_model[] =
    "{\"type\":\"WordLevel\",\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<s>\":1,"
    "\"</s>\":2,\"<pad>\":3,\"[CLS]\":4,\"[SEP]\":5,\"a\":6,\"b\":7,\"c\":8,\"the\":9,"
    "\"cat\":10,\"sat\":11,\"on\":12,\"mat\":13,\"hello\":14,\"world\":15,\",\":16,"
    "\".\":17,\"!\":18,\"?\":19}}";

static int toy(struct tsl_hfpipe **p, struct tsl_err *err)
{
    struct tsl_jsonread *doc = NULL, *whitespace = NULL;
    *p = tsl_hfpipe_create(err);
    int rc = *p ? tsl_jsonread_parse(&doc, slice(toy_model), "toy", err) : TSL_ENOMEM;
    if (rc == 0)
        rc = tsl_jsonread_parse(&whitespace, slice("{\"type\":\"Whitespace\"}"), "toy",
                                err);
    if (rc == 0)
        rc = tsl_tokfile_hf_model(*p, tsl_jsonread_root(doc), "toy", err);
    if (rc == 0)
        rc = tsl_tokfile_hf_pretok(*p, tsl_jsonread_root(whitespace), "toy", err);
    tsl_jsonread_destroy(doc);
    tsl_jsonread_destroy(whitespace);
    return rc;
}

static void normalizer_case(json v)
{
    struct tsl_hfpipe *p;
    struct tsl_err err = { 0 };
    struct tsl_atext text, scratch;
    struct tsl_slice s = str(v, "text"), want = str(v, "normalized");
    tsl_atext_init(&text);
    tsl_atext_init(&scratch);
    p = tsl_hfpipe_create(&err);
    int rc = tsl_tokfile_hf_normalizer(p, tsl_jsonread_get(v, "config"), "config", &err);
    if (rc == 0)
        rc = tsl_atext_set(&text, s, &err);
    if (rc == 0)
        rc = tsl_normalizer_apply(p->normalizer, &text, &scratch, &err);
    if ((rc < 0 || text.len != want.len ||
         (want.len && memcmp(text.bytes, want.data, want.len) != 0)) &&
        differs(slice("normalizer"), s, rc < 0 ? err.msg : "other text")) {
        printf("  got      ");
        print_text((struct tsl_slice){ text.bytes, text.len });
        printf("\n  expected ");
        print_text(want);
        printf("\n");
    }
    tsl_atext_fini(&text);
    tsl_atext_fini(&scratch);
    tsl_hfpipe_destroy(p);
}

static bool same_splits(const struct tsl_atext *t, const struct tsl_pieces *pieces,
                        struct tsl_slice text, json splits)
{
    if (tsl_jsonread_size(splits) != pieces->n)
        return false;
    for (size_t i = 0; i < pieces->n; i++) {
        json split = tsl_jsonread_at(splits, i), pair = tsl_jsonread_at(split, 1);
        const struct tsl_piece *p = &pieces->p[i];
        struct tsl_slice s = { NULL, 0 };
        tsl_jsonread_str(tsl_jsonread_at(split, 0), &s);
        if (s.len != p->end - p->begin || memcmp(s.data, t->bytes + p->begin, s.len) != 0)
            return false;
        if (num(tsl_jsonread_at(pair, 0)) != chars_before(text, t->begin[p->begin]) ||
            num(tsl_jsonread_at(pair, 1)) != chars_before(text, t->end[p->end - 1]))
            return false;
    }
    return true;
}

static void pretok_case(json v)
{
    struct tsl_hfpipe *p;
    struct tsl_err err = { 0 };
    struct tsl_atext text, scratch;
    struct tsl_pieces pieces;
    struct tsl_slice s = str(v, "text");
    json splits = tsl_jsonread_get(v, "splits");
    tsl_atext_init(&text);
    tsl_atext_init(&scratch);
    tsl_pieces_init(&pieces);
    p = tsl_hfpipe_create(&err);
    int rc = tsl_tokfile_hf_pretok(p, tsl_jsonread_get(v, "config"), "config", &err);
    if (rc == 0)
        rc = tsl_atext_set(&text, s, &err);
    if (rc == 0)
        rc = tsl_pieces_set(&pieces, text.len, 0, &err);
    if (rc == 0)
        rc = tsl_pretok_apply(p->pretok, &text, &scratch, &pieces, &err);
    if ((rc < 0 || !same_splits(&text, &pieces, s, splits)) &&
        differs(slice("pre-tokenizer"), s, rc < 0 ? err.msg : "other pieces")) {
        struct tsl_slice type = str(tsl_jsonread_get(v, "config"), "type");
        printf("  %.*s:", (int)type.len, (const char *)type.data);
        for (size_t i = 0; i < pieces.n; i++)
            printf(" [%.*s %u,%u]", (int)(pieces.p[i].end - pieces.p[i].begin),
                   (const char *)text.bytes + pieces.p[i].begin,
                   (unsigned)text.begin[pieces.p[i].begin],
                   (unsigned)text.end[pieces.p[i].end - 1]);
        printf("\n");
    }
    tsl_atext_fini(&text);
    tsl_atext_fini(&scratch);
    tsl_pieces_fini(&pieces);
    tsl_hfpipe_destroy(p);
}

static void decoder_case(json v)
{
    struct tsl_err err = { 0 };
    struct tsl_detok_list list = { .n = 0 }, scratch = { .n = 0 };
    json tokens = tsl_jsonread_get(v, "tokens");
    struct tsl_slice want = str(v, "decoded"), s;
    struct tsl_hfpipe *p = tsl_hfpipe_create(&err);
    int rc = tsl_tokfile_hf_decoder(p, tsl_jsonread_get(v, "config"), "config", &err);
    for (size_t i = 0; rc == 0 && i < tsl_jsonread_size(tokens); i++)
        if (tsl_jsonread_str(tsl_jsonread_at(tokens, i), &s))
            rc = tsl_detok_list_add(&list, s, &err);
    if (rc == 0)
        rc = tsl_detok_run(p->detok, &list, &scratch, false, &err);
    if ((rc < 0 || list.len != want.len ||
         (want.len && memcmp(list.bytes, want.data, want.len) != 0)) &&
        differs(slice("decoder"), want, rc < 0 ? err.msg : "other text")) {
        printf("  got  ");
        print_text((struct tsl_slice){ list.bytes, list.len });
        printf("\n");
    }
    tsl_detok_list_fini(&list);
    tsl_detok_list_fini(&scratch);
    tsl_hfpipe_destroy(p);
}

static int pipe_encode(void *coder, struct tsl_slice s, struct tsl_tokens *out,
                       struct tsl_err *err)
{
    size_t used;
    return tsl_hfpipe_engine.encode(coder, s, true, true, &used, out, err);
}

static void added_case(json v)
{
    struct tsl_err err = { 0 };
    struct tsl_hfpipe *p;
    struct tsl_tokens t;
    struct tsl_slice s = str(v, "text");
    void *coder = NULL;
    tsl_tokens_init(&t, TSL_WANT_SPANS);
    int rc = toy(&p, &err);
    if (rc == 0)
        rc =
            tsl_tokfile_hf_normalizer(p, tsl_jsonread_get(v, "normalizer"), "case", &err);
    if (rc == 0)
        rc = tsl_tokfile_hf_added(p, tsl_jsonread_get(v, "added_tokens"), "case", NULL,
                                  &err);
    if (rc == 0)
        rc = tsl_hfpipe_build(p, &err);
    if (rc == 0) {
        coder = tsl_hfpipe_engine.coder_create(p, 4 << 20, &err);
        rc = coder ? pipe_encode(coder, s, &t, &err) : TSL_ENOMEM;
    }
    if (rc < 0) {
        if (differs(slice("added"), s, err.msg))
            printf("\n");
    } else {
        check_case(v, slice("added"), s, tsl_jsonread_get(v, "ids"), &t, true, true);
    }
    tsl_hfpipe_engine.coder_destroy(coder);
    tsl_tokens_fini(&t);
    tsl_hfpipe_destroy(p);
}

static bool same_tree(const struct tsl_encoding *e, json v)
{
    json ids = tsl_jsonread_get(v, "ids"), types = tsl_jsonread_get(v, "type_ids");
    json offsets = tsl_jsonread_get(v, "offsets"),
         over = tsl_jsonread_get(v, "overflowing");
    json special = tsl_jsonread_get(v, "special"),
         attention = tsl_jsonread_get(v, "attention");
    if (tsl_jsonread_size(ids) != e->n || tsl_jsonread_size(over) != e->nover)
        return false;
    for (size_t i = 0; i < e->n; i++) {
        const struct tsl_postproc_item *it = &e->items[i];
        json pair = tsl_jsonread_at(offsets, i);
        if (num(tsl_jsonread_at(ids, i)) != it->id ||
            num(tsl_jsonread_at(types, i)) != it->type_id ||
            num(tsl_jsonread_at(special, i)) != it->special ||
            num(tsl_jsonread_at(attention, i)) != it->attention ||
            num(tsl_jsonread_at(pair, 0)) != it->begin ||
            num(tsl_jsonread_at(pair, 1)) != it->end)
            return false;
    }
    for (size_t i = 0; i < e->nover; i++)
        if (!same_tree(&e->over[i], tsl_jsonread_at(over, i)))
            return false;
    return true;
}

static void print_tree(const struct tsl_encoding *e, int depth)
{
    printf("  %*s", depth, "");
    for (size_t i = 0; i < e->n; i++)
        printf(" %u/%u", (unsigned)e->items[i].id, (unsigned)e->items[i].type_id);
    printf("\n");
    for (size_t i = 0; i < e->nover; i++)
        print_tree(&e->over[i], depth + 2);
}

static void print_json_tree(json v, int depth)
{
    json ids = tsl_jsonread_get(v, "ids"), types = tsl_jsonread_get(v, "type_ids");
    json over = tsl_jsonread_get(v, "overflowing");
    printf("  %*s", depth, "");
    for (size_t i = 0; i < tsl_jsonread_size(ids); i++)
        printf(" %" PRId64 "/%" PRId64, num(tsl_jsonread_at(ids, i)),
               num(tsl_jsonread_at(types, i)));
    printf("\n");
    for (size_t i = 0; i < tsl_jsonread_size(over); i++)
        print_json_tree(tsl_jsonread_at(over, i), depth + 2);
}

/* wrap gives the same as the tree's trunk. */
static bool same_flat(const struct tsl_encoding *e, const struct tsl_tokens *t,
                      const uint8_t *types)
{
    if (e->n != t->n)
        return false;
    for (size_t i = 0; i < t->n; i++)
        if (e->items[i].id != t->ids[i] || e->items[i].type_id != types[i] ||
            e->items[i].begin != t->begin[i] || e->items[i].end != t->end[i])
            return false;
    return true;
}

static void post_case(json v)
{
    struct tsl_err err = { 0 };
    struct tsl_hfpipe *p;
    struct tsl_tokens a, b, flat;
    struct tsl_encoding tree = { .n = 0 };
    struct tsl_slice sa = str(v, "a"), sb = str(v, "b");
    json error = tsl_jsonread_get(v, "error");
    uint8_t *types = NULL;
    size_t types_cap = 0;
    void *coder = NULL;
    bool add = true;
    tsl_tokens_init(&a, TSL_WANT_SPANS | TSL_WANT_MARKS);
    tsl_tokens_init(&b, TSL_WANT_SPANS | TSL_WANT_MARKS);
    tsl_tokens_init(&flat, TSL_WANT_SPANS);
    tsl_jsonread_bool(tsl_jsonread_get(v, "add_special_tokens"), &add);
    int rc = toy(&p, &err);
    if (rc == 0)
        rc = tsl_tokfile_hf_postproc(p, tsl_jsonread_get(v, "post_processor"), "case",
                                     &err);
    if (rc == 0)
        rc =
            tsl_tokfile_hf_truncation(p, tsl_jsonread_get(v, "truncation"), "case", &err);
    if (rc == 0)
        rc = tsl_tokfile_hf_padding(p, tsl_jsonread_get(v, "padding"), "case", &err);
    if (rc == 0)
        rc = tsl_hfpipe_build(p, &err);
    if (rc == 0) {
        coder = tsl_hfpipe_engine.coder_create(p, 4 << 20, &err);
        rc = coder ? pipe_encode(coder, sa, &a, &err) : TSL_ENOMEM;
    }
    if (rc == 0 && sb.data)
        rc = pipe_encode(coder, sb, &b, &err);
    struct tsl_postproc_opts o = { .plain = !add,
                                   .truncation =
                                       p->has_truncation ? &p->truncation : NULL,
                                   .padding = p->has_padding ? &p->padding : NULL };
    if (rc == 0)
        rc = tsl_postproc_tree(&p->postproc, &a, sb.data ? &b : NULL, &o, &tree, &err);
    int flat_rc = tsl_postproc_wrap(&p->postproc, &a, sb.data ? &b : NULL, &o, &flat,
                                    &types, &types_cap, NULL);
    if (error) {
        if ((rc == 0 || flat_rc == 0) && differs(slice("post"), sa, "should be refused"))
            printf("\n");
    } else if (rc < 0 || flat_rc < 0) {
        if (differs(slice("post"), sa, err.msg))
            printf("\n");
    } else if (!same_tree(&tree, v)) {
        if (differs(slice("post"), sa, "other tree")) {
            print_tree(&tree, 0);
            print_json_tree(v, 0);
        }
    } else if (!same_flat(&tree, &flat, types) &&
               differs(slice("post"), sa, "flat and tree differ")) {
        print_ints("flat", flat.ids, flat.n);
    }
    tsl_mem_free(types);
    tsl_encoding_fini(&tree);
    tsl_hfpipe_engine.coder_destroy(coder);
    tsl_tokens_fini(&a);
    tsl_tokens_fini(&b);
    tsl_tokens_fini(&flat);
    tsl_hfpipe_destroy(p);
}

static void run_parts(const char *path, void (*one)(json v))
{
    struct cases cases;
    json v;
    begin(path, "");
    if (cases_open(&cases, path)) {
        while ((v = cases_next(&cases)))
            one(v);
        cases_close(&cases);
        finish();
    }
}

/* The first line holds the patterns by name. */
static void run_patterns(const char *path)
{
    struct cases cases;
    struct tsl_jsonread *patterns = NULL;
    struct tsl_err err = { 0 };
    json v;
    begin(path, "");
    if (!cases_open(&cases, path))
        return;
    while ((v = cases_next(&cases))) {
        struct tsl_slice s = str(v, "text"), pattern;
        char name[32];
        if (!patterns) {
            now.cases--;
            patterns = cases.doc;
            cases.doc = NULL;
            continue;
        }
        struct tsl_slice which = str(v, "p");
        snprintf(name, sizeof name, "%.*s", (int)which.len, (const char *)which.data);
        pattern = str(tsl_jsonread_get(tsl_jsonread_root(patterns), "patterns"), name);
        json ends = tsl_jsonread_get(v, "ends");
        struct tsl_atext text, scratch;
        struct tsl_pieces pieces;
        struct tsl_pretok *p =
            tsl_pretok_create_split_regex(pattern, TSL_SPLIT_ISOLATED, false, &err);
        tsl_atext_init(&text);
        tsl_atext_init(&scratch);
        tsl_pieces_init(&pieces);
        int rc = p ? tsl_atext_set(&text, s, &err) : -1;
        if (rc == 0)
            rc = tsl_pieces_set(&pieces, text.len, 0, &err);
        if (rc == 0)
            rc = tsl_pretok_apply(p, &text, &scratch, &pieces, &err);
        bool good = rc == 0 && pieces.n == tsl_jsonread_size(ends);
        for (size_t i = 0; good && i < pieces.n; i++)
            good = num(tsl_jsonread_at(ends, i)) == chars_before(s, pieces.p[i].end);
        if (!good && differs(which, s, rc < 0 ? err.msg : "other pieces"))
            print_json_ints("expected", ends);
        tsl_atext_fini(&text);
        tsl_atext_fini(&scratch);
        tsl_pieces_fini(&pieces);
        tsl_pretok_destroy(p);
    }
    tsl_jsonread_destroy(patterns);
    cases_close(&cases);
    finish();
}

/* ---- folders -------------------------------------------------------------------------- */

/* The path of a file that may be compressed; false: there is none. */
static bool path_in(char out[4096], const char *dir, const char *name)
{
    static const char *const ends[] = { ".gz", ".zst", "" };
    struct stat st;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(out, 4096, "%s/%s%s", dir, name, ends[i]);
        if (stat(out, &st) == 0)
            return true;
    }
    return false;
}

static void run_folder(const char *dir)
{
    char path[4096], hf[4096], json_path[4096], txt[4096];
    const struct tsl_tokenizer_opts plain = { .plain_specials = true }, allow = { 0 };
    bool has_json = path_in(json_path, dir, "tokenizer.json");
    bool has_txt = path_in(txt, dir, "vocab.txt");
    size_t files = 0;
    /* all rules on the same cases, in lower case whatever letters the vocabulary has */
    bool rules = path_in(path, dir, "expected/google.jsonl");
    const struct tsl_tokenizer_opts lower = { .lowercase = TSL_CASE_LOWER },
                                    google = { .rules = TSL_RULES_GOOGLE,
                                               .lowercase = TSL_CASE_LOWER },
                                    keras = { .rules = TSL_RULES_BERT4KERAS,
                                              .lowercase = TSL_CASE_LOWER };
    if (rules) {
        files++;
        run_cases(path, " google", txt, google, "ids", NULL, 0, true);
    }
    if (path_in(path, dir, "expected/bert4keras.jsonl")) {
        files++;
        run_cases(path, " bert4keras", txt, keras, "ids", NULL, 0, true);
    }
    if (path_in(hf, dir, "expected/hf.jsonl")) {
        files++;
        if (has_json)
            run_both(hf, "", json_path, allow, "ids");
        if (has_txt)
            run_both(hf, "", txt, rules ? lower : allow, "ids");
        if (!has_json && !has_txt)
            run_both(hf, "", dir, allow, "ids");
    }
    if (path_in(path, dir, "expected/google_diff.jsonl")) {
        files++;
        run_google(path, hf, dir);
    }
    if (path_in(path, dir, "expected/hf_pairs.jsonl")) {
        files++;
        run_pairs(path, json_path);
    }
    if (path_in(path, dir, "expected/hf_invalid.jsonl")) {
        files++;
        run_both(path, "", dir, allow, "ids");
    }
    if (path_in(path, dir, "expected/tiktoken.jsonl")) {
        files++;
        run_both(path, "", dir, plain, "ids");
        run_both(path, " special", dir, allow, "ids_special");
    }
    if (path_in(path, dir, "expected/spm.jsonl")) {
        files++;
        run_cases(path, "", dir, allow, "ids", NULL, 0, true);
    }
    static const struct {
        const char *name;
        void (*one)(json v);
    } parts[] = { { "normalizers", normalizer_case },
                  { "pre_tokenizers", pretok_case },
                  { "decoders", decoder_case },
                  { "added_tokens", added_case },
                  { "post_trunc_pad", post_case } };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char name[64];
        snprintf(name, sizeof name, "expected/%s.jsonl", parts[i].name);
        if (path_in(path, dir, name)) {
            files++;
            run_parts(path, parts[i].one);
        }
    }
    if (path_in(path, dir, "expected/split_patterns.jsonl")) {
        files++;
        run_patterns(path);
    }
    if (!files) {
        printf("%s: no expected/*.jsonl that is known\n", dir);
        broken = true;
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: fixture-tokenizers DIR...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++)
        run_folder(argv[i]);
    return broken ? 2 : all_wrong ? 1 : 0;
}
