#include "text/countfile.h"

#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/quote.h"
#include "io/source.h"
#include "text/jsonl.h"
#include "text/wordblock.h"

static const char magic[8] = { 'T', 'S', 'L', 'W', 'R', 'D', '1', '\n' };

enum {
    BLOCK_MARK = 0x4b4c4257, /* "WBLK" */
    END_MARK = 0x444e4557,   /* "WEND" */
    BLOCK_HEAD = 16,         /* without its sum */
    BLOCK_BYTES = 128 << 10, /* of payload, at most */
    TRAILER_BYTES = 40,      /* with its sum */
    HEAD_MAX = 4096,
    WINDOW_MAX = 128 << 20
};

/* ---- writing --------------------------------------------------------------------------- */

static int write_head(struct tsl_sink *s, const struct tsl_countfile_head *head,
                      struct tsl_err *err)
{
    uint8_t text[12 + HEAD_MAX + 8];
    struct tsl_json j = { 0 };
    tsl_json_open(&j, NULL, '{');
    tsl_json_str(&j, "cut", head->cut);
    tsl_json_str(&j, "made_by", head->made_by);
    tsl_json_close(&j, '}');
    int rc = tsl_json_end(&j, err);
    if (rc == 0) {
        /* at most six bytes for each of the head's: far from HEAD_MAX */
        size_t n = (12 + j.len + 7) & ~(size_t)7;
        memcpy(text, magic, 8);
        tsl_store32(text + 8, (uint32_t)(n - 12));
        memset(text + 12, ' ', n - 12);
        memcpy(text + 12, j.text, j.len);
        tsl_store64(text + n, tsl_hash64(text, n, 0));
        rc = tsl_sink_write(s, text, n + 8, err);
    }
    tsl_json_fini(&j);
    return rc;
}

struct writer {
    struct tsl_sink sink;
    uint8_t *block, *last;
    struct tsl_wordblock_writer w;
    uint64_t nblocks;
};

static int write_block(struct writer *w, struct tsl_err *err)
{
    uint8_t *head = w->block, sum[8]; /* the payload is behind the head's 16 bytes */
    tsl_store32(head, BLOCK_MARK);
    tsl_store32(head + 4, (uint32_t)w->w.len);
    tsl_store32(head + 8, w->w.nwords);
    tsl_store32(head + 12, 0);
    tsl_store64(sum, tsl_hash64(head, BLOCK_HEAD + w->w.len, w->nblocks++));
    int rc = tsl_sink_write(&w->sink, head, BLOCK_HEAD, err);
    if (rc == 0)
        rc = tsl_sink_write(&w->sink, sum, sizeof sum, err);
    return rc < 0 ? rc : tsl_sink_write(&w->sink, head + BLOCK_HEAD, w->w.len, err);
}

static int write_words(struct writer *w, struct tsl_wordcount *wc, uint64_t min_count,
                       struct tsl_countfile_stats *st, struct tsl_err *err)
{
    struct tsl_slice word;
    uint64_t count;
    int rc;
    w->w.last = w->last;
    tsl_wordblock_begin(&w->w, w->block + BLOCK_HEAD, BLOCK_BYTES);
    while ((rc = tsl_wordcount_next(wc, &word, &count, err)) == 1) {
        if (count < min_count)
            continue;
        if (!tsl_wordblock_put(&w->w, word, count)) {
            rc = write_block(w, err);
            if (rc < 0)
                return rc;
            tsl_wordblock_begin(&w->w, w->block + BLOCK_HEAD, BLOCK_BYTES);
            (void)tsl_wordblock_put(&w->w, word, count); /* any word fits */
        }
        st->words++;
        st->total += count;
    }
    return rc == 0 && w->w.nwords ? write_block(w, err) : rc;
}

static int write_trailer(struct writer *w, const struct tsl_countfile_stats *st,
                         struct tsl_err *err)
{
    uint8_t t[TRAILER_BYTES];
    tsl_store32(t, END_MARK);
    tsl_store32(t + 4, 0);
    tsl_store64(t + 8, w->nblocks);
    tsl_store64(t + 16, st->words);
    tsl_store64(t + 24, st->total);
    tsl_store64(t + 32, tsl_hash64(t, 32, 0));
    return tsl_sink_write(&w->sink, t, sizeof t, err);
}

int tsl_countfile_write(const char *path, const struct tsl_sink_opts *so,
                        const struct tsl_countfile_head *head, struct tsl_wordcount *wc,
                        uint64_t min_count, struct tsl_countfile_stats *st,
                        struct tsl_err *err)
{
    struct writer w = { 0 };
    struct tsl_countfile_stats n = { 0 };
    int rc = tsl_sink_open(&w.sink, path, false, so, err);
    if (rc < 0)
        return rc;
    w.block = tsl_pages_map(BLOCK_HEAD + BLOCK_BYTES, "a block of words", err);
    w.last = tsl_pages_map(TSL_WORDBLOCK_WORD_MAX, "a word", err);
    rc = w.block && w.last ? write_head(&w.sink, head, err) : TSL_ENOMEM;
    if (rc == 0)
        rc = write_words(&w, wc, min_count, &n, err);
    if (rc == 0)
        rc = write_trailer(&w, &n, err);
    if (rc == 0)
        rc = tsl_sink_done(&w.sink, err);
    if (rc == 0)
        rc = tsl_sink_commit(&w.sink, err);
    if (rc == 0 && st)
        *st = n;
    tsl_sink_close(&w.sink);
    tsl_pages_unmap(w.block, BLOCK_HEAD + BLOCK_BYTES);
    tsl_pages_unmap(w.last, TSL_WORDBLOCK_WORD_MAX);
    return rc;
}

/* ---- reading --------------------------------------------------------------------------- */

struct reader {
    struct tsl_source src;
    const char *name;
    uint64_t at;    /* bytes read so far */
    uint8_t *block; /* head and payload */
    uint8_t *word;
    struct tsl_wordblock_reader r;
    uint64_t nblocks;
    struct tsl_countfile_head head;
    struct tsl_countfile_stats n;
};

static int damaged(const struct reader *r, uint64_t at, const char *what,
                   struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: byte %" PRIu64 ": %s", r->name, at, what);
}

static int get(struct reader *r, void *p, size_t n, struct tsl_err *err)
{
    int64_t k = tsl_source_read(&r->src, p, n, err);
    if (k < 0)
        return (int)k;
    r->at += (uint64_t)k;
    return (size_t)k == n
               ? 0
               : damaged(r, r->at, "the file of counts was cut short here", err);
}

static int copy_field(struct tsl_slice text, const char *key, char *to, size_t cap,
                      struct tsl_err *err)
{
    char storage[16], decoded[HEAD_MAX];
    struct tsl_jsonl_path path;
    struct tsl_jsonl_value v;
    int rc = tsl_jsonl_path_init(&path, key, storage, err);
    if (rc == 0)
        rc = tsl_jsonl_find(text, &path, 1, &v, err);
    if (rc < 0)
        return rc;
    to[0] = '\0';
    if (v.kind != TSL_JSONL_STRING)
        return 0;
    size_t n = v.raw.len;
    if (v.escaped)
        n = tsl_jsonl_decode(v.raw, (uint8_t *)decoded);
    else
        memcpy(decoded, v.raw.data, n);
    n = n < cap ? n : cap - 1;
    memcpy(to, decoded, n);
    to[n] = '\0';
    return 0;
}

static int read_head(struct reader *r, struct tsl_err *err)
{
    uint8_t text[12 + HEAD_MAX + 8];
    struct tsl_err why = { 0 };
    int64_t k = tsl_source_read(&r->src, text, 12, err);
    if (k < 0)
        return (int)k;
    if (k < 8 || memcmp(text, magic, 8) != 0)
        return damaged(r, 0, "this is no file of counted words", err);
    r->at = (uint64_t)k;
    if (k < 12)
        return damaged(r, r->at, "the file of counts was cut short here", err);
    uint32_t n = tsl_load32(text + 8);
    if (n > HEAD_MAX || (n + 12) % 8 != 0)
        return damaged(r, 8, "no header of counted words is that long", err);
    int rc = get(r, text + 12, n + 8, err);
    if (rc < 0)
        return rc;
    if (tsl_hash64(text, 12 + n, 0) != tsl_load64(text + 12 + n))
        return damaged(r, 0, "the header's checksum is wrong", err);
    struct tsl_slice json = { text + 12, n };
    rc = copy_field(json, "cut", r->head.cut, sizeof r->head.cut, &why);
    if (rc == 0)
        rc = copy_field(json, "made_by", r->head.made_by, sizeof r->head.made_by, &why);
    return rc < 0 ? damaged(r, 12, why.msg, err) : 0;
}

static int add_words(struct reader *r, uint64_t place, struct tsl_wordcount *wc,
                     unsigned adder, struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    int rc;
    while ((rc = tsl_wordblock_next(&r->r, &why)) == 1) {
        r->n.words++;
        if (__builtin_add_overflow(r->n.total, r->r.count, &r->n.total))
            return damaged(r, place, "the counts add up to 2^64 or more", err);
        rc = tsl_wordcount_add(wc, adder, (struct tsl_slice){ r->r.word, r->r.len },
                               r->r.count, err);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? damaged(r, place, why.msg, err) : 0;
}

/* The block whose mark was read. */
static int read_block(struct reader *r, struct tsl_wordcount *wc, unsigned adder,
                      struct tsl_err *err)
{
    uint8_t sum[8];
    uint64_t place = r->at - 4;
    tsl_store32(r->block, BLOCK_MARK);
    int rc = get(r, r->block + 4, 12, err);
    if (rc == 0)
        rc = get(r, sum, sizeof sum, err);
    if (rc < 0)
        return rc;
    size_t n = tsl_load32(r->block + 4);
    uint32_t nwords = tsl_load32(r->block + 8);
    if (n > BLOCK_BYTES || nwords == 0)
        return damaged(r, place, "no block of counted words is like that", err);
    rc = get(r, r->block + BLOCK_HEAD, n, err);
    if (rc < 0)
        return rc;
    if (tsl_hash64(r->block, BLOCK_HEAD + n, r->nblocks) != tsl_load64(sum))
        return damaged(r, place, "the block's checksum is wrong", err);
    r->nblocks++;
    tsl_wordblock_open(&r->r, r->block + BLOCK_HEAD, n, nwords);
    return add_words(r, place, wc, adder, err);
}

static int read_trailer(struct reader *r, struct tsl_err *err)
{
    uint8_t t[TRAILER_BYTES], more;
    uint64_t place = r->at - 4;
    tsl_store32(t, END_MARK);
    int rc = get(r, t + 4, sizeof t - 4, err);
    if (rc < 0)
        return rc;
    if (tsl_hash64(t, sizeof t - 8, 0) != tsl_load64(t + sizeof t - 8))
        return damaged(r, place, "the trailer's checksum is wrong", err);
    if (tsl_load64(t + 8) != r->nblocks || tsl_load64(t + 16) != r->n.words ||
        tsl_load64(t + 24) != r->n.total)
        return damaged(r, place, "the trailer counts other words than there are", err);
    int64_t k = tsl_source_read(&r->src, &more, 1, err);
    if (k < 0)
        return (int)k;
    return k ? damaged(r, r->at, "there is something behind the trailer", err) : 0;
}

static int read_all(struct reader *r, const char *cut, struct tsl_wordcount *wc,
                    unsigned adder, struct tsl_err *err)
{
    r->name = r->src.file.name;
    r->block = tsl_pages_map(BLOCK_HEAD + BLOCK_BYTES, "a block of words", err);
    r->word = tsl_pages_map(TSL_WORDBLOCK_WORD_MAX, "a word", err);
    int rc = r->block && r->word ? read_head(r, err) : TSL_ENOMEM;
    if (rc < 0)
        return rc;
    if (cut && strcmp(cut, r->head.cut) != 0)
        return tsl_err_set(
            err, TSL_EUSAGE,
            "%s: its words were cut by \"%s\", these are to be cut by \"%s\"", r->name,
            r->head.cut, cut);
    r->r.word = r->word;
    r->r.word_max = TSL_WORDBLOCK_WORD_MAX;
    for (;;) {
        uint8_t mark[4];
        rc = get(r, mark, sizeof mark, err);
        if (rc < 0)
            return rc;
        switch (tsl_load32(mark)) {
        case BLOCK_MARK: rc = read_block(r, wc, adder, err); break;
        case END_MARK: return read_trailer(r, err);
        default: rc = damaged(r, r->at - 4, "neither a block nor the trailer", err);
        }
        if (rc < 0)
            return rc;
    }
}

int tsl_countfile_add(const char *path, const char *cut, struct tsl_wordcount *wc,
                      unsigned adder, struct tsl_countfile_head *head,
                      struct tsl_countfile_stats *st, struct tsl_err *err)
{
    struct reader r = { 0 };
    int rc = tsl_source_open(&r.src, path, WINDOW_MAX, err);
    if (rc < 0)
        return rc;
    rc = read_all(&r, cut, wc, adder, err);
    int closed = tsl_source_close(&r.src, rc == 0 ? err : NULL);
    rc = rc < 0 ? rc : closed;
    if (rc == 0 && head)
        *head = r.head;
    if (rc == 0 && st)
        *st = r.n;
    tsl_pages_unmap(r.block, BLOCK_HEAD + BLOCK_BYTES);
    tsl_pages_unmap(r.word, TSL_WORDBLOCK_WORD_MAX);
    return rc;
}
