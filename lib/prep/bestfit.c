#include "prep/bestfit.h"

#include <assert.h>
#include <inttypes.h>

#include "base/mem.h"

#define NONE UINT32_MAX

struct tsl_bestfit {
    const uint32_t *lengths; /* only while packing */
    uint64_t ndocs;
    uint32_t extra, room;
    /* Documents cut into full bins, with the number of their first one, in order. */
    struct {
        uint64_t doc, first;
    } * full;
    size_t nfull, cap_full;
    uint64_t nfull_bins;
    /* The rests of all documents, by bin: docs[starts[i]] .. docs[starts[i + 1]], and how
     * long they are. */
    uint32_t *docs, *rests, *starts;
    uint32_t nrests, nbins;
    uint64_t waste;
};

/* What is needed while documents are put into bins. */
struct bins {
    uint32_t *order;  /* documents by rest, longest first */
    uint32_t *bin_of; /* [place in order] */
    uint32_t *next;   /* [bin]: a queue for each room */
    uint32_t *head, *tail;
    uint64_t *some, *some_words; /* bit r: there is a bin with room r; bit w: some[w] */
};

static uint32_t rest_of(const struct tsl_bestfit *b, uint64_t doc)
{
    uint64_t n = b->lengths[doc] ? (uint64_t)b->lengths[doc] + b->extra : 0;
    return (uint32_t)(n % b->room);
}

static int find_full(struct tsl_bestfit *b, struct tsl_err *err)
{
    for (uint64_t i = 0; i < b->ndocs; i++) {
        uint64_t n = b->lengths[i] ? (uint64_t)b->lengths[i] + b->extra : 0;
        b->nrests += n % b->room > 0;
        if (n < b->room)
            continue;
        if (tsl_mem_grow(&b->full, &b->cap_full, b->nfull + 1, sizeof *b->full,
                         "long documents", err) < 0)
            return TSL_ENOMEM;
        b->full[b->nfull].doc = i;
        b->full[b->nfull++].first = b->nfull_bins;
        b->nfull_bins += n / b->room;
    }
    return 0;
}

/* Counting sort, longest first. */
static void sort_rests(const struct tsl_bestfit *b, struct bins *k)
{
    uint32_t *at = k->head, sum = 0;
    for (uint64_t i = 0; i < b->ndocs; i++)
        at[rest_of(b, i)]++;
    for (uint32_t r = b->room; r-- > 1;) {
        uint32_t n = at[r];
        at[r] = sum;
        sum += n;
    }
    for (uint64_t i = 0; i < b->ndocs; i++)
        if (rest_of(b, i))
            k->order[at[rest_of(b, i)]++] = (uint32_t)i;
}

static void add_bin(struct bins *k, uint32_t room, uint32_t bin)
{
    k->next[bin] = NONE;
    if (k->head[room] == NONE)
        k->head[room] = bin;
    else
        k->next[k->tail[room]] = bin;
    k->tail[room] = bin;
    k->some[room / 64] |= UINT64_C(1) << (room % 64);
    k->some_words[room / 4096] |= UINT64_C(1) << (room / 64 % 64);
}

static uint32_t take_bin(struct bins *k, uint32_t room)
{
    uint32_t bin = k->head[room];
    k->head[room] = k->next[bin];
    if (k->head[room] == NONE) {
        k->some[room / 64] &= ~(UINT64_C(1) << (room % 64));
        if (!k->some[room / 64])
            k->some_words[room / 4096] &= ~(UINT64_C(1) << (room / 64 % 64));
    }
    return bin;
}

/* The least room of at least n that a bin has; 0: none has. */
static uint32_t least_room(const struct bins *k, uint32_t n, uint32_t room)
{
    uint64_t bits = k->some[n / 64] >> (n % 64);
    if (bits)
        return n + (uint32_t)__builtin_ctzll(bits);
    for (uint32_t w = n / 64 + 1; w <= room / 64; w = (w / 64 + 1) * 64) {
        bits = k->some_words[w / 64] >> (w % 64);
        if (bits) {
            w += (uint32_t)__builtin_ctzll(bits);
            return w * 64 + (uint32_t)__builtin_ctzll(k->some[w]);
        }
    }
    return 0;
}

static void fill_bins(struct tsl_bestfit *b, struct bins *k)
{
    for (uint32_t r = 0; r <= b->room; r++)
        k->head[r] = NONE;
    for (uint32_t i = 0; i < b->nrests; i++) {
        uint32_t n = rest_of(b, k->order[i]), room = least_room(k, n, b->room);
        uint32_t bin = room ? take_bin(k, room) : b->nbins++;
        if (!room) {
            room = b->room;
            b->waste += room;
        }
        b->waste -= n;
        k->bin_of[i] = bin;
        if (room > n)
            add_bin(k, room - n, bin);
    }
}

/* Documents by bin, in the order in which they were put there. */
static void group(struct tsl_bestfit *b, const struct bins *k)
{
    for (uint32_t i = 0; i < b->nrests; i++)
        b->starts[k->bin_of[i] + 1]++;
    for (uint32_t i = 0; i < b->nbins; i++)
        b->starts[i + 1] += b->starts[i];
    for (uint32_t i = 0; i < b->nrests; i++) {
        uint32_t at = b->starts[k->bin_of[i]]++;
        b->docs[at] = k->order[i];
        b->rests[at] = rest_of(b, k->order[i]);
    }
    for (uint32_t i = b->nbins; i > 0; i--)
        b->starts[i] = b->starts[i - 1];
    b->starts[0] = 0;
}

static int pack(struct tsl_bestfit *b, struct tsl_err *err)
{
    static const char what[] = "packing by best fit";
    struct bins k = { 0 };
    size_t nrooms = (size_t)b->room + 1, n = b->nrests;
    int rc = TSL_ENOMEM;
    k.order = tsl_mem_alloc(n, sizeof *k.order, what, err);
    k.bin_of = tsl_mem_alloc(n, sizeof *k.bin_of, what, err);
    k.next = tsl_mem_alloc(n, sizeof *k.next, what, err);
    k.head = tsl_mem_alloc(nrooms, sizeof *k.head, what, err);
    k.tail = tsl_mem_alloc(nrooms, sizeof *k.tail, what, err);
    k.some = tsl_mem_alloc(nrooms / 64 + 1, sizeof *k.some, what, err);
    k.some_words = tsl_mem_alloc(nrooms / 4096 + 1, sizeof *k.some_words, what, err);
    b->docs = tsl_mem_alloc(n, sizeof *b->docs, what, err);
    b->rests = tsl_mem_alloc(n, sizeof *b->rests, what, err);
    if (!k.order || !k.bin_of || !k.next || !k.head || !k.tail || !k.some ||
        !k.some_words || !b->docs || !b->rests)
        goto out;
    sort_rests(b, &k);
    fill_bins(b, &k);
    b->starts = tsl_mem_alloc((size_t)b->nbins + 1, sizeof *b->starts, what, err);
    if (!b->starts)
        goto out;
    group(b, &k);
    rc = 0;
out:
    tsl_mem_free(k.order);
    tsl_mem_free(k.bin_of);
    tsl_mem_free(k.next);
    tsl_mem_free(k.head);
    tsl_mem_free(k.tail);
    tsl_mem_free(k.some);
    tsl_mem_free(k.some_words);
    return rc;
}

int tsl_bestfit_create(struct tsl_bestfit **out, const uint32_t *lengths, uint64_t ndocs,
                       uint32_t extra, uint32_t room, struct tsl_err *err)
{
    if (!room || room > TSL_SAMPLE_TOKENS_MAX || ndocs >= NONE)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%" PRIu64 " documents into samples of %" PRIu32
                           " tokens: less than 2^32, and 1 to %d",
                           ndocs, room, TSL_SAMPLE_TOKENS_MAX);
    struct tsl_bestfit *b = tsl_mem_alloc(1, sizeof *b, "packing by best fit", err);
    if (!b)
        return TSL_ENOMEM;
    b->lengths = lengths;
    b->ndocs = ndocs;
    b->extra = extra;
    b->room = room;
    int rc = find_full(b, err);
    if (rc == 0)
        rc = pack(b, err);
    b->lengths = NULL;
    if (rc == 0) {
        *out = b;
        b = NULL; /* handed over */
    }
    tsl_bestfit_destroy(b);
    return rc;
}

void tsl_bestfit_destroy(struct tsl_bestfit *b)
{
    if (!b)
        return;
    tsl_mem_free(b->full);
    tsl_mem_free(b->docs);
    tsl_mem_free(b->rests);
    tsl_mem_free(b->starts);
    tsl_mem_free(b);
}

uint64_t tsl_bestfit_count(const struct tsl_bestfit *b)
{
    return b->nfull_bins + b->nbins;
}

uint64_t tsl_bestfit_waste(const struct tsl_bestfit *b)
{
    return b->waste;
}

/* The long document that full bin i is a part of. */
static size_t find_long(const struct tsl_bestfit *b, uint64_t i)
{
    size_t low = 0, high = b->nfull;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (b->full[mid].first <= i)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static uint64_t nfull_of(const struct tsl_bestfit *b, size_t k)
{
    return (k + 1 < b->nfull ? b->full[k + 1].first : b->nfull_bins) - b->full[k].first;
}

/* Where a document's rest begins: behind its full bins. */
static uint32_t rest_at(const struct tsl_bestfit *b, uint64_t doc)
{
    size_t low = 0, high = b->nfull;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (b->full[mid].doc < doc)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == b->nfull || b->full[low].doc != doc)
        return 0;
    return (uint32_t)(nfull_of(b, low) * b->room);
}

size_t tsl_bestfit_bin(const struct tsl_bestfit *b, uint64_t i, struct tsl_piece *pieces)
{
    assert(i < tsl_bestfit_count(b));
    if (i < b->nfull_bins) {
        size_t k = find_long(b, i);
        uint64_t nth = i - b->full[k].first;
        pieces[0] =
            (struct tsl_piece){ b->full[k].doc, (uint32_t)(nth * b->room), b->room };
        return 1;
    }
    i -= b->nfull_bins;
    size_t n = 0;
    for (uint32_t at = b->starts[i]; at < b->starts[i + 1]; at++, n++) {
        uint64_t doc = b->docs[at];
        pieces[n] = (struct tsl_piece){ doc, rest_at(b, doc), b->rests[at] };
    }
    return n;
}
