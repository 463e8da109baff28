#include "text/unigram.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/tokfile.h"

/* How much worse than the worst token an unknown character is. */
static const double UNK_PENALTY = 10.0;

/* A place that a token may end at: the best way to it. */
struct tsl_unigram_node {
    double score;
    uint32_t begin; /* of the way's last token */
    uint32_t id;
};

/* A scratch that grew larger is given back after the piece. */
enum { KEEP_NODES = 1 << 20 };

#define UNREACHED UINT32_MAX

static void bytes_find(struct tsl_unigram *u, const struct tsl_vocab *v)
{
    static const char hex[] = "0123456789ABCDEF";
    for (unsigned i = 0; i < 256; i++) {
        const uint8_t name[] = {
            '<', '0', 'x', (uint8_t)hex[i >> 4], (uint8_t)hex[i & 15], '>'
        };
        u->bytes[i] = tsl_vocab_find(v, (struct tsl_slice){ name, sizeof name });
    }
}

int tsl_unigram_init(struct tsl_unigram *u, const struct tsl_vocab *v,
                     const double *scores, int64_t unk, bool byte_fallback,
                     struct tsl_err *err)
{
    size_t n = 0, count = tsl_vocab_count(v);
    uint32_t size = tsl_vocab_size(v);
    double lowest = INFINITY;
    if (unk != TSL_VOCAB_NONE && (unk < 0 || unk >= size))
        return tsl_err_set(err, TSL_EFORMAT,
                           "the id for unknown text is %" PRId64
                           ", but the vocabulary has %" PRIu32 " tokens",
                           unk, size);
    *u = (struct tsl_unigram){ .unk = unk, .byte_fallback = byte_fallback };
    struct tsl_slice *keys = tsl_mem_alloc(count, sizeof *keys, "a vocabulary", err);
    uint32_t *ids = tsl_mem_alloc(count, sizeof *ids, "a vocabulary", err);
    int rc = TSL_ENOMEM;
    u->scores = tsl_mem_alloc(size, sizeof *u->scores, "a vocabulary", err);
    if (!keys || !ids || !u->scores)
        goto out;
    for (uint32_t id = 0; id < size; id++) {
        struct tsl_slice s = tsl_vocab_token(v, id);
        if (!s.data)
            continue;
        u->scores[id] = scores[id];
        if (scores[id] < lowest)
            lowest = scores[id];
        if (tsl_tokfile_utf8_end(s) == s.len && tsl_vocab_find(v, s) == id) {
            keys[n] = s;
            ids[n++] = id;
        }
    }
    u->unk_score = lowest - UNK_PENALTY;
    bytes_find(u, v);
    rc = tsl_trie_build(&u->trie, keys, ids, n, err);
out:
    tsl_mem_free(keys);
    tsl_mem_free(ids);
    if (rc < 0)
        tsl_unigram_fini(u);
    return rc;
}

void tsl_unigram_fini(struct tsl_unigram *u)
{
    tsl_trie_fini(&u->trie);
    tsl_mem_free(u->scores);
    u->scores = NULL;
}

void tsl_unigram_scratch_init(struct tsl_unigram_scratch *s)
{
    *s = (struct tsl_unigram_scratch){ 0 };
}

void tsl_unigram_scratch_fini(struct tsl_unigram_scratch *s)
{
    tsl_mem_free(s->nodes);
    tsl_unigram_scratch_init(s);
}

struct run {
    const struct tsl_unigram *u;
    struct tsl_unigram_node *nodes; /* of the stretch that begins at origin */
    struct tsl_slice piece;
    size_t origin, reach;      /* reach: the last node that is set */
    size_t unk_begin, unk_end; /* unknown text that waits for what follows */
    struct tsl_tokens *out;
};

/* What stands for unknown text, all of it together. */
static int unknown_put(struct run *r, struct tsl_err *err)
{
    const struct tsl_unigram *u = r->u;
    struct tsl_slice s = { r->piece.data + r->unk_begin, r->unk_end - r->unk_begin };
    uint32_t begin = (uint32_t)r->unk_begin, end = (uint32_t)r->unk_end;
    r->unk_begin = r->unk_end;
    if (!s.len)
        return 0;
    /* Together they may be a token after all, as the spelt out <unk> is. */
    int64_t id = tsl_trie_find(&u->trie, s);
    if (id >= 0)
        return tsl_tokens_add(r->out, (uint32_t)id, begin, end, 0, err);
    bool all = u->byte_fallback;
    for (size_t i = 0; all && i < s.len; i++)
        all = u->bytes[s.data[i]] != TSL_VOCAB_NONE;
    if (!all)
        return tsl_tokens_add(r->out, (uint32_t)u->unk, begin, end, TSL_TOKEN_UNKNOWN,
                              err);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s.len; i++)
        rc = tsl_tokens_add(r->out, (uint32_t)u->bytes[s.data[i]], begin, end, 0, err);
    return rc;
}

/* Puts the tokens of the best way to end, which all ways pass, and begins anew there. */
static int stretch_put(struct run *r, size_t end, struct tsl_err *err)
{
    struct tsl_unigram_node *nodes = r->nodes;
    size_t origin = r->origin;
    uint32_t next = UNREACHED;
    int rc = 0;
    /* The way is known backwards: turn each node's begin into the next node's place. */
    for (uint32_t at = (uint32_t)end; at != origin;) {
        uint32_t begin = nodes[at - origin].begin;
        nodes[at - origin].begin = next;
        next = at;
        at = begin;
    }
    for (size_t begin = origin; rc == 0 && next != UNREACHED;) {
        const struct tsl_unigram_node *node = &nodes[next - origin];
        if (node->id == r->u->unk) {
            r->unk_end = next;
        } else {
            rc = unknown_put(r, err);
            if (rc == 0)
                rc = tsl_tokens_add(r->out, node->id, (uint32_t)begin, next, 0, err);
            r->unk_begin = r->unk_end = next;
        }
        begin = next;
        next = node->begin;
    }
    nodes[0].score = nodes[end - origin].score;
    r->origin = end;
    return rc;
}

static int nodes_grow(struct tsl_unigram_scratch *s, size_t need, struct run *r,
                      struct tsl_err *err)
{
    if (need <= s->cap)
        return 0;
    int rc = tsl_mem_grow(&s->nodes, &s->cap, need, sizeof *s->nodes, "a piece", err);
    r->nodes = s->nodes;
    return rc;
}

/* A way over a token [begin, end); true: it is the best to end so far. */
static bool offer(struct run *r, size_t begin, size_t end, uint32_t id, double score)
{
    struct tsl_unigram_node *node = &r->nodes[end - r->origin];
    while (r->reach < end)
        r->nodes[++r->reach - r->origin].begin = UNREACHED;
    if (node->begin != UNREACHED && !(score > node->score))
        return false;
    *node = (struct tsl_unigram_node){ score, (uint32_t)begin, id };
    return true;
}

static int encode(struct run *r, struct tsl_unigram_scratch *s, struct tsl_err *err)
{
    const struct tsl_unigram *u = r->u;
    const uint8_t *p = r->piece.data;
    int rc = 0;
    for (size_t begin = 0; begin < r->piece.len;) {
        uint32_t cp;
        size_t n = tsl_utf8_decode(p + begin, p + r->piece.len, &cp);
        /* Where no token reaches further, what comes cannot change the way so far. */
        if (r->reach == begin && begin > r->origin)
            rc = stretch_put(r, begin, err);
        if (rc < 0)
            return rc;
        bool has_char = false;
        double so_far = r->nodes[begin - r->origin].score;
        uint64_t state = tsl_trie_root(&u->trie);
        for (size_t at = begin; at < r->piece.len;) {
            if (!tsl_trie_step(&u->trie, &state, p[at++]))
                break;
            int64_t id = tsl_trie_value(&u->trie, state);
            if (id < 0)
                continue;
            rc = nodes_grow(s, at - r->origin + 1, r, err);
            if (rc < 0)
                return rc;
            offer(r, begin, at, (uint32_t)id, so_far + u->scores[id]);
            has_char |= at == begin + n;
        }
        if (!has_char) {
            rc = nodes_grow(s, begin + n - r->origin + 1, r, err);
            if (rc < 0)
                return rc;
            if (offer(r, begin, begin + n, (uint32_t)u->unk, so_far + u->unk_score) &&
                u->unk == TSL_VOCAB_NONE)
                return tsl_err_set(
                    err, TSL_EFORMAT,
                    "the vocabulary has no token for %s, and none for "
                    "unknown text",
                    tsl_tokfile_quote((struct tsl_slice){ p + begin, n }).s);
        }
        begin += n;
    }
    rc = stretch_put(r, r->piece.len, err);
    return rc < 0 ? rc : unknown_put(r, err);
}

int tsl_unigram_encode(const struct tsl_unigram *u, struct tsl_unigram_scratch *s,
                       struct tsl_slice piece, struct tsl_tokens *out,
                       struct tsl_err *err)
{
    struct run r = { .u = u, .piece = piece, .out = out };
    if (piece.len >= UNREACHED)
        return tsl_err_set(err, TSL_EFORMAT, "a piece of %zu bytes; at most %lu",
                           piece.len, (unsigned long)UNREACHED - 1);
    if (!piece.len)
        return 0;
    int rc = nodes_grow(s, 64, &r, err);
    if (rc < 0)
        return rc;
    r.nodes = s->nodes;
    r.nodes[0] = (struct tsl_unigram_node){ .begin = 0 };
    rc = encode(&r, s, err);
    if (s->cap > KEEP_NODES)
        tsl_unigram_scratch_fini(s);
    return rc;
}
