/* Unigram: the best path through all pieces that lie in the text, by the sum of scores.
 *
 * SentencePiece adds in float, compares the sum of a double and a float with a float, and
 * rounds when it stores; ties and near-ties hang on that, so it is done alike.  The sum of
 * two floats rounded from double is the sum rounded from the exact one (Figueroa 1995), so
 * the two kinds of scores, float and (for user-defined pieces) double, go one way. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "text/spmmodel.h"

static const float UNKNOWN_PENALTY = 10.0F;

int tsl_spm_unigram_init(struct tsl_spm *m, struct tsl_err *err)
{
    const struct tsl_tokfile_spm *f = m->file;
    float min = FLT_MAX, max = FLT_MIN; /* sic: the smallest positive one */
    m->scores = tsl_mem_alloc((size_t)m->npieces + 1, sizeof *m->scores, "scores", err);
    m->float_scores =
        tsl_mem_alloc((size_t)m->npieces + 1, sizeof *m->float_scores, "scores", err);
    if (!m->scores || !m->float_scores)
        return TSL_ENOMEM;
    for (size_t i = 0; i < m->npieces; i++) {
        if (f->pieces[i].type != TSL_SPM_NORMAL)
            continue;
        if (f->pieces[i].score < min)
            min = f->pieces[i].score;
        if (f->pieces[i].score > max)
            max = f->pieces[i].score;
    }
    m->unk_score = min - UNKNOWN_PENALTY;
    for (size_t i = 0; i < m->npieces; i++) {
        const struct tsl_spm_piece *p = &f->pieces[i];
        m->scores[i + 1] = p->score;
        if (p->type == TSL_SPM_USER_DEFINED) {
            float bonus = (float)p->text.len * max;
            m->scores[i + 1] = (double)bonus - 0.1;
        }
    }
    m->scores[m->unk + 1] = m->unk_score;
    for (size_t i = 0; i <= m->npieces; i++) {
        float score = (float)m->scores[i];
        m->float_scores[i] = (double)score == m->scores[i] ? score : NAN;
    }
    return 0;
}

TSL_INLINE uint64_t first_state(const struct tsl_spm *m, const uint8_t *p, size_t n,
                                size_t *len)
{
    uint32_t cp;
    *len = tsl_spm_char(p, &cp);
    if (TSL_UNLIKELY(*len > n)) {
        *len = n;
        return 0;
    }
    return m->states[(size_t)m->block_of[cp >> 8] << 8 | (cp & 255)];
}

static int room(struct tsl_spm_coder *c, size_t n, struct tsl_err *err)
{
    return tsl_mem_grow(&c->nodes, &c->nodes_cap, n + 1, sizeof *c->nodes, "a lattice",
                        err);
}

/* Turns the hits from from on around. */
static void reverse(struct tsl_spm_coder *c, size_t from)
{
    for (size_t i = from, j = c->nhits; i + 1 < j; i++) {
        struct tsl_spm_hit h = c->hits[i];
        c->hits[i] = c->hits[--j];
        c->hits[j] = h;
    }
}

/* The last place that all ways pass which can go on behind n: those through the places that
 * a piece can begin at which reaches behind n.  Going back, always from the hindmost place
 * of a set, until one is left. */
static size_t meeting(struct tsl_spm_node *nodes, size_t n, size_t reach)
{
    const uint32_t MARK = UINT32_C(1) << 31;
    size_t low = n >= reach ? n - reach : 0, nmarked = 0, at;
    for (size_t i = low; i <= n; i++) {
        if (nodes[i].from != UINT32_MAX) {
            nodes[i].id |= MARK;
            nmarked++;
        }
    }
    for (at = n; at > 0; at--) {
        if (!(nodes[at].id & MARK) || nodes[at].from == UINT32_MAX)
            continue;
        nodes[at].id &= ~MARK;
        if (nmarked == 1)
            return at;
        struct tsl_spm_node *before = &nodes[nodes[at].from];
        nmarked -= (before->id & MARK) != 0;
        before->id |= MARK;
    }
    return 0;
}

int tsl_spm_unigram_encode(struct tsl_spm_coder *c, const uint8_t *s, size_t n, bool open,
                           struct tsl_err *err)
{
    const struct tsl_spm *m = c->m;
    int rc = room(c, n, err);
    if (rc < 0)
        return rc;
    struct tsl_spm_node *nodes = c->nodes;
    const uint64_t *units = m->trie.units;
    const double *scores = m->scores;
    const float unk_score = m->unk_score;
    nodes[0] = (struct tsl_spm_node){ c->total, 0, 0 };
    for (size_t i = 1; i <= n; i++)
        nodes[i] = (struct tsl_spm_node){ 0, UINT32_MAX, 0 };
    size_t len;
    for (size_t at = 0; at < n; at += len) {
        uint64_t state = first_state(m, s + at, n - at, &len);
        float till = nodes[at].best;
        bool single = false;
        size_t end = at + len;
        while (state) {
            uint32_t id1 = (uint32_t)(state >> 32);
            if (id1) {
                double sum = scores[id1] + (double)till;
                struct tsl_spm_node *to = &nodes[end];
                single |= end == at + len;
                if (to->from == UINT32_MAX || sum > (double)to->best)
                    *to = (struct tsl_spm_node){ (float)sum, (uint32_t)at, id1 - 1 };
            }
            if (end >= n)
                break;
            uint64_t unit = units[(uint32_t)state >> 8 ^ s[end]];
            if ((uint8_t)unit != s[end])
                break;
            state = unit;
            end++;
        }
        if (!single) {
            float sum = unk_score + till;
            struct tsl_spm_node *to = &nodes[at + len];
            if (to->from == UINT32_MAX || sum > to->best)
                *to = (struct tsl_spm_node){ sum, (uint32_t)at, m->unk };
        }
    }
    size_t to = open ? meeting(nodes, n, m->longest) : n;
    c->total = nodes[to].best;
    size_t from = c->nhits;
    for (size_t at = to; at > 0 && rc == 0; at = nodes[at].from)
        rc = tsl_spm_add_hit(c, nodes[at].id, at - nodes[at].from, err);
    reverse(c, from);
    return rc;
}

/* How large the sum may be before rounding can change which of two ways is the better one.
 *
 * Let the ways' sums, as real numbers, differ by gap or more wherever the best way has a
 * choice.  With h half a unit in the last place of the largest sum met, each stored sum is
 * within 2h of the best of its candidates, so after k characters within 2kh of the real
 * one; a comparison adds at most 4h.  No choice changes while gap > (4k + 4)h, and
 * h <= largest * 2^-24. */
static int bound_of(double gap, size_t nchars, double largest)
{
    gap -= (largest + 1) * 1e-12; /* what the doubles here round */
    double most = 0.99 * gap * 16777216.0 / (4.0 * (double)nchars + 4) - largest - 1;
    if (!(most > 0))
        return 0;
    float f = most < 1e30 ? (float)most : 1e30F;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return (int)(bits >> 23);
}

int tsl_spm_unigram_probe(struct tsl_spm_coder *c, const uint8_t *s, size_t n,
                          struct tsl_err *err)
{
    const struct tsl_spm *m = c->m;
    struct tsl_spm_probe nodes[SPM_SHORT + 1];
    const uint64_t *units = m->trie.units;
    const double *scores = m->scores;
    nodes[0] = (struct tsl_spm_probe){ 0, -INFINITY, 0, 0 };
    for (size_t i = 1; i <= n; i++)
        nodes[i] = (struct tsl_spm_probe){ -INFINITY, -INFINITY, UINT32_MAX, 0 };
    size_t len, nchars = 0;
    double largest = 0;
    for (size_t at = 0; at < n; at += len, nchars++) {
        uint64_t state = first_state(m, s + at, n - at, &len);
        double till = nodes[at].best;
        bool single = false;
        size_t end = at + len;
        largest = fabs(till) > largest ? fabs(till) : largest;
        while (state) {
            uint32_t id1 = (uint32_t)(state >> 32);
            if (id1) {
                double sum = scores[id1] + till;
                struct tsl_spm_probe *to = &nodes[end];
                single |= end == at + len;
                if (to->from == UINT32_MAX || sum > to->best)
                    *to = (struct tsl_spm_probe){ sum, to->best, (uint32_t)at, id1 - 1 };
                else if (sum > to->second)
                    to->second = sum;
            }
            if (end >= n)
                break;
            uint64_t unit = units[(uint32_t)state >> 8 ^ s[end]];
            if ((uint8_t)unit != s[end])
                break;
            state = unit;
            end++;
        }
        if (!single) {
            double sum = (double)m->unk_score + till;
            struct tsl_spm_probe *to = &nodes[at + len];
            if (to->from == UINT32_MAX || sum > to->best)
                *to = (struct tsl_spm_probe){ sum, to->best, (uint32_t)at, m->unk };
            else if (sum > to->second)
                to->second = sum;
        }
    }
    largest = fabs(nodes[n].best) > largest ? fabs(nodes[n].best) : largest;
    double gap = INFINITY;
    size_t from = c->nhits;
    int rc = 0;
    for (size_t at = n; at > 0 && rc == 0; at = nodes[at].from) {
        double g = nodes[at].best - nodes[at].second;
        gap = g < gap ? g : gap;
        rc = tsl_spm_add_hit(c, nodes[at].id, at - nodes[at].from, err);
    }
    reverse(c, from);
    return rc < 0 ? rc : bound_of(gap, nchars, largest);
}
