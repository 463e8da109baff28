#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "prep/span.h"
#include "support/chisquare.h"
#include "support/fixture.h"

enum { VOCAB = 1000, EOS = 1 };

static struct tsl_jsonread *vectors(void)
{
    size_t n;
    uint8_t *text = fixture_get("formats/t5-vectors/vectors.json", &n);
    struct tsl_jsonread *doc;
    struct tsl_err err = { 0 };
    assert_ok(tsl_jsonread_parse(&doc, (struct tsl_slice){ text, n }, "vectors", &err),
              &err);
    free(text);
    return doc;
}

static void runs_become_what_the_peer_makes_of_them(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool not ;
        enum tsl_span_style style;
    } cases[] = {
        { "noise_token_to_sentinel", false, TSL_SPAN_EACH_TOKEN },
        { "noise_span_to_sentinel", false, TSL_SPAN_SAME },
        { "nonnoise_span_to_sentinel", true, TSL_SPAN_SAME },
        { "noise_span_to_unique_sentinel", false, TSL_SPAN_UNIQUE },
        { "nonnoise_span_to_unique_sentinel", true, TSL_SPAN_UNIQUE },
        { "drop_noise_tokens", false, TSL_SPAN_DROP },
        { "drop_nonnoise_tokens", true, TSL_SPAN_DROP },
    };
    struct tsl_jsonread *doc = vectors();
    const struct tsl_jsonval *v = tsl_jsonread_root(doc);
    const struct tsl_jsonval *tokens = tsl_jsonread_get(v, "tokens");
    const struct tsl_jsonval *mask = tsl_jsonread_get(v, "noise_mask");
    uint32_t ids[16], out[16], n = (uint32_t)tsl_jsonread_size(tokens);
    uint64_t set = 0;
    assert_true(n == 6 && tsl_jsonread_size(mask) == 6);
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = (uint32_t)fixture_int_at(tokens, i);
        set |= (uint64_t)fixture_int_at(mask, i) << i;
    }
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const struct tsl_jsonval *want = tsl_jsonread_get(v, cases[c].name);
        uint32_t k = tsl_span_replace(ids, n, &set, cases[c].not, cases[c].style,
                                      VOCAB - 1, -1, out);
        assert_int_equal(k, tsl_jsonread_size(want));
        for (uint32_t i = 0; i < k; i++)
            assert_int_equal(out[i], fixture_int_at(want, i));
    }
    tsl_jsonread_destroy(doc);
}

static double number(const struct tsl_jsonval *row, const char *key)
{
    double x = -1;
    tsl_jsonread_num(tsl_jsonread_get(row, key), &x);
    return x;
}

static void lengths_are_those_of_the_peers_helper(void **state)
{
    (void)state;
    /* T5's at 1024, and UL2's at 512 as the notes on it have them */
    static const struct {
        uint32_t inputs;
        double density, mean;
        uint32_t raw_length, targets;
    } more[] = { { 1024, .15, 3, 1137, 229 }, { 512, .15, 8, 588, 100 },
                 { 512, .15, 64, 600, 92 },   { 512, .5, 3, 766, 512 },
                 { 512, .5, 8, 908, 512 },    { 512, .5, 64, 1006, 512 },
                 { 128, .15, 3, 141, 29 },    { 114, .15, 3, 126, 26 } };
    uint32_t raw_length, targets;
    struct tsl_jsonread *doc = vectors();
    const struct tsl_jsonval *rows =
        tsl_jsonread_get(tsl_jsonread_root(doc), "random_spans_helper");
    assert_int_equal(tsl_jsonread_size(rows), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct tsl_jsonval *row = tsl_jsonread_at(rows, i);
        tsl_span_lengths((uint32_t)fixture_int(row, "inputs_length"),
                         number(row, "noise_density"), number(row, "mean_span"),
                         &raw_length, &targets);
        assert_int_equal(raw_length, fixture_int(row, "tokens_length"));
        assert_int_equal(targets, fixture_int(row, "targets_length"));
    }
    tsl_jsonread_destroy(doc);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        tsl_span_lengths(more[i].inputs, more[i].density, more[i].mean, &raw_length,
                         &targets);
        assert_int_equal(raw_length, more[i].raw_length);
        assert_int_equal(targets, more[i].targets);
    }
}

static bool in(const uint64_t *set, uint32_t i)
{
    return set[i / 64] >> (i % 64) & 1;
}

static void masks_have_the_noise_and_the_spans_asked_for(void **state)
{
    (void)state;
    struct tsl_key key = tsl_key_make(1, "test");
    uint64_t first[32] = { 0 }, rolled[32] = { 0 };
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t set[2];
        struct tsl_draws d = tsl_draws_make(&key, 0, i);
        uint32_t noise = 0, runs = 0;
        assert_int_equal(tsl_span_mask(&d, 32, .25, 2, 100, false, set), 4);
        assert_true(!in(set, 0) && in(set, 31)); /* as the peer's always are */
        for (uint32_t k = 0; k < 32; k++) {
            noise += in(set, k);
            runs += in(set, k) && !in(set, k - 1);
            first[k] += in(set, k);
        }
        assert_true(noise == 8 && runs == 4);
        tsl_span_mask(&d, 32, .25, 2, 100, true, set);
        for (uint32_t k = 0; k < 32; k++)
            rolled[k] += in(set, k);
    }
    assert_true(chisquare_uniform(rolled, 32) < 4);
    assert_true(chisquare_uniform(first, 32) > 100); /* what rolling cures */
}

/* 4 noise tokens into 2 spans, 5 clean ones: 3 and 4 ways, all as likely. */
static void parts_are_uniform_among_all_ways_to_split(void **state)
{
    (void)state;
    struct tsl_key key = tsl_key_make(2, "test");
    uint64_t ways[12] = { 0 };
    for (uint64_t i = 0; i < 24000; i++) {
        uint64_t set[1];
        struct tsl_draws d = tsl_draws_make(&key, 0, i);
        tsl_span_mask(&d, 9, .44, 2, 100, false, set);
        uint32_t clean = 0, noise = 0;
        while (!in(set, clean))
            clean++;
        while (in(set, clean + noise))
            noise++;
        assert_true(clean >= 1 && clean <= 4 && noise >= 1 && noise <= 3);
        ways[(clean - 1) * 3 + noise - 1]++;
    }
    assert_true(chisquare_uniform(ways, 12) < 4);
}

static void fill(struct tsl_sample *s, uint64_t address, uint32_t n)
{
    tsl_sample_clear(s, address);
    for (uint32_t i = 0; i < n; i++) {
        s->ids[i] = 100 + i;
        s->starts[i] = i % 3 == 0;
    }
    s->n = n;
}

/* Puts what the decoder says in the place of the sentinels. */
static uint32_t undo(const struct tsl_sample *s, const struct tsl_span_opts *o,
                     uint32_t *ids)
{
    uint32_t n = 0, at = 0, end = s->nouts - 1;
    assert_true(s->ids[s->n - 1] == EOS && s->outs[end] == EOS);
    for (uint32_t i = 0; i < s->n - 1; i++) {
        if (s->ids[i] <= o->sentinel - o->nsentinels) {
            ids[n++] = s->ids[i];
            continue;
        }
        assert_int_equal(s->outs[at++], s->ids[i]);
        while (at < end && s->outs[at] <= o->sentinel - o->nsentinels)
            ids[n++] = s->outs[at++];
    }
    assert_int_equal(at, end);
    return n;
}

static void what_is_said_fits_into_the_input(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_sample s;
    uint32_t ids[600];
    assert_ok(tsl_sample_init(&s, 603, &err), &err);
    for (unsigned roll = 0; roll < 2; roll++) {
        struct tsl_span p;
        struct tsl_span_stats t = { 0 };
        struct tsl_span_opts o = tsl_span_t5(VOCAB, EOS);
        o.roll = roll;
        o.nsentinels = 40;
        o.denoisers[0].mean_span = 1.5;
        o.denoisers[0].density = .3;
        assert_ok(tsl_span_init(&p, &o, &err), &err);
        for (uint32_t n = 0; n < 600; n++) {
            fill(&s, n, n);
            tsl_span_apply(&p, 1, &s, &t);
            if (n < 2) {
                assert_int_equal(s.n, n + 1);
                continue;
            }
            assert_int_equal(undo(&s, &o, ids), n);
            for (uint32_t i = 0; i < n; i++)
                assert_int_equal(ids[i], 100 + i);
        }
        assert_true(t.capped > 0 && t.spans > 0);
        double share = (double)t.noise / (double)t.tokens;
        assert_true(share > .299 && share < .301);
    }
    tsl_sample_fini(&s);
}

static void inputs_and_targets_have_the_lengths_of_the_helper(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_span p;
    struct tsl_sample s;
    uint32_t raw_length, targets;
    struct tsl_span_opts o = tsl_span_t5(VOCAB, EOS);
    tsl_span_lengths(512, .15, 3, &raw_length, &targets);
    assert_ok(tsl_span_init(&p, &o, &err), &err);
    assert_ok(tsl_sample_init(&s, raw_length + 3, &err), &err);
    for (uint64_t i = 0; i < 50; i++) {
        fill(&s, i, raw_length);
        tsl_span_apply(&p, 1, &s, NULL);
        assert_int_equal(s.n, 512);
        assert_int_equal(s.nouts, targets);
    }
    tsl_sample_fini(&s);
}

static void ul2_mixes_its_denoisers_by_weight(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_span p;
    struct tsl_sample s;
    struct tsl_span_stats t = { 0 };
    uint64_t counts[7] = { 0 }, said = 0;
    struct tsl_span_opts o = tsl_span_ul2(VOCAB, EOS, 10, 11, 12);
    assert_ok(tsl_span_init(&p, &o, &err), &err);
    assert_ok(tsl_sample_init(&s, 515, &err), &err);
    for (uint64_t i = 0; i < 7000; i++) {
        unsigned d = tsl_span_denoiser(&p, 0, i);
        counts[d]++;
        fill(&s, i, 512);
        tsl_span_apply(&p, 0, &s, &t);
        assert_int_equal(s.ids[0], d < 2 ? 10 : d == 6 ? 11 : 12);
        if (d == 6) { /* a prefix, and what follows it */
            assert_int_equal(s.ids[s.n - 2] + 1, s.outs[0]);
            assert_int_equal(s.n - 2 + s.nouts - 1, 512);
            said += s.nouts - 1;
        }
    }
    assert_true(chisquare_uniform(counts, 7) < 4);
    double share = (double)said / (double)counts[6] / 512;
    assert_true(share > .24 && share < .26);
    tsl_sample_fini(&s);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_span p;
    struct tsl_span_opts o = tsl_span_t5(VOCAB, EOS);
    o.denoisers[0].density = 1;
    assert_err(tsl_span_init(&p, &o, &err), TSL_EUSAGE, &err, "density 1");
    o = tsl_span_t5(VOCAB, EOS);
    o.denoisers[0].weight = 0;
    assert_err(tsl_span_init(&p, &o, &err), TSL_EUSAGE, &err, "weight");
    o = tsl_span_t5(VOCAB, EOS);
    o.nsentinels = 2000;
    assert_err(tsl_span_init(&p, &o, &err), TSL_EUSAGE, &err, "2000 sentinels");
    o.ndenoisers = 0;
    assert_err(tsl_span_init(&p, &o, &err), TSL_EUSAGE, &err, "0 denoisers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(runs_become_what_the_peer_makes_of_them),
        TEST(lengths_are_those_of_the_peers_helper),
        TEST(masks_have_the_noise_and_the_spans_asked_for),
        TEST(parts_are_uniform_among_all_ways_to_split),
        TEST(what_is_said_fits_into_the_input),
        TEST(inputs_and_targets_have_the_lengths_of_the_helper),
        TEST(ul2_mixes_its_denoisers_by_weight),
        TEST(options_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
