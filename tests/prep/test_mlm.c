#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "prep/mlm.h"
#include "support/chisquare.h"

enum { CLS = 101, SEP = 102, MASK = 103, VOCAB = 400, N = 64 };

static struct tsl_special_ids special(void)
{
    return (struct tsl_special_ids){ .pad = 0,
                                     .unk = 100,
                                     .cls = CLS,
                                     .sep = SEP,
                                     .mask = MASK,
                                     .bos = -1,
                                     .eos = -1,
                                     .vocab_size = VOCAB };
}

static struct tsl_mlm_opts opts(void)
{
    struct tsl_mlm_opts o = tsl_mlm_defaults();
    o.special = special();
    o.seed = 5;
    return o;
}

/* [CLS] 31 tokens [SEP] 30 tokens [SEP]; words of 1, 2, 3, 1, 2, 3 ... tokens. */
static void fill(struct tsl_sample *s, uint64_t address)
{
    tsl_sample_clear(s, address);
    for (uint32_t i = 0; i < N; i++) {
        bool at = i == 0 || i == 32 || i == 63;
        s->ids[i] = i == 0 ? CLS : at ? SEP : 110 + i;
        s->starts[i] = at || i % 6 == 1 || i % 6 == 2 || i % 6 == 4;
    }
    s->n = N;
    s->first = 33;
}

struct runs {
    struct tsl_mlm *m;
    struct tsl_sample s;
    struct tsl_mlm_stats t;
    uint64_t places[N];
};

static void begin(struct runs *r, const struct tsl_mlm_opts *o)
{
    struct tsl_err err = { 0 };
    memset(r, 0, sizeof *r);
    assert_ok(tsl_mlm_create(&r->m, o, &err), &err);
    assert_ok(tsl_sample_init(&r->s, N, &err), &err);
}

static void end(struct runs *r)
{
    tsl_mlm_destroy(r->m);
    tsl_sample_fini(&r->s);
}

static void check_sample(const struct tsl_sample *s)
{
    struct tsl_sample was;
    assert_ok(tsl_sample_init(&was, N, NULL), NULL);
    fill(&was, s->address);
    for (uint32_t i = 0, k = 0; i < N; i++) {
        if (k < s->nmasked && s->places[k] == i) {
            assert_int_equal(s->targets[k], was.ids[i]);
            assert_true(i != 0 && i != 32 && i != 63);
            k++;
        } else
            assert_int_equal(s->ids[i], was.ids[i]);
    }
    tsl_sample_fini(&was);
}

static void run(struct runs *r, uint64_t epoch, uint64_t address)
{
    fill(&r->s, address);
    tsl_mlm_apply(r->m, epoch, &r->s, &r->t);
    check_sample(&r->s);
    for (uint32_t k = 0; k < r->s.nmasked; k++)
        r->places[r->s.places[k]]++;
}

static void bert_masks_each_token_alike(void **state)
{
    (void)state;
    struct runs r;
    struct tsl_mlm_opts o = opts();
    uint64_t tokens[N - 3], k = 0;
    begin(&r, &o);
    for (uint64_t i = 0; i < 20000; i++)
        run(&r, 3, i);
    for (uint32_t i = 0; i < N; i++)
        if (i != 0 && i != 32 && i != 63)
            tokens[k++] = r.places[i];
    /* drawn without replacement: a little more even than chi-square has it */
    assert_true(chisquare_uniform(tokens, k) < 4);
    assert_int_equal(r.t.asked, 20000 * 10); /* rint(9.6) */
    assert_int_equal(r.t.got, r.t.asked);
    uint64_t kinds[] = { r.t.masked, r.t.random, r.t.kept };
    double want[] = { 160000, 20000, 20000 };
    assert_true(chisquare_sigmas(kinds, want, 3) < 4);
    assert_int_equal(r.t.masked + r.t.random + r.t.kept, r.t.got);
    end(&r);
}

static void masks_are_a_function_of_seed_epoch_and_address(void **state)
{
    (void)state;
    struct runs r, q;
    struct tsl_mlm_opts o = opts();
    unsigned same = 0;
    begin(&r, &o);
    begin(&q, &o);
    for (uint64_t i = 0; i < 200; i++) {
        run(&q, 1, 1000 + i);
        run(&r, 7, i);
        run(&q, 7, i);
        assert_memory_equal(r.s.ids, q.s.ids, sizeof(uint32_t) * N);
        run(&q, 8, i);
        same += !memcmp(r.s.ids, q.s.ids, sizeof(uint32_t) * N);
    }
    end(&q);
    o.seed++;
    begin(&q, &o);
    for (uint64_t i = 0; i < 200; i++) {
        run(&r, 7, i);
        run(&q, 7, i);
        same += !memcmp(r.s.ids, q.s.ids, sizeof(uint32_t) * N);
    }
    assert_int_equal(same, 0);
    end(&q);
    end(&r);
}

/* What is drawn is part of the output's definition. */
static void the_masks_of_version_1_stay(void **state)
{
    (void)state;
    static const uint32_t want[] = { 5, 8, 15, 18, 20, 25, 34, 46, 48, 54 };
    struct runs r;
    struct tsl_mlm_opts o = opts();
    begin(&r, &o);
    run(&r, 1, 12);
    assert_int_equal(r.s.nmasked, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(r.s.places[i], want[i]);
    end(&r);
}

static void replacements_are_any_ids_but_specials(void **state)
{
    (void)state;
    uint8_t reserved[VOCAB / 8 + 1] = { 0 };
    for (uint32_t id = 0; id < 100; id++)
        reserved[id / 8] |= (uint8_t)(1 << id % 8);
    for (unsigned defect = 0; defect < 2; defect++) {
        struct runs r;
        struct tsl_mlm_opts o = opts();
        uint64_t ids[VOCAB] = { 0 };
        o.special.reserved = reserved;
        o.mask_share = 0;
        o.random_share = 1;
        o.draw_specials = defect;
        begin(&r, &o);
        for (uint64_t i = 0; i < 10000; i++) {
            run(&r, 0, i);
            for (uint32_t k = 0; k < r.s.nmasked; k++)
                ids[r.s.ids[r.s.places[k]]]++;
        }
        uint64_t low = 0;
        for (uint32_t id = 0; id < 104; id++)
            low += ids[id];
        assert_true(defect ? low > 0 : low == 0);
        assert_true(chisquare_uniform(ids + 104, VOCAB - 104) < 4);
        if (defect)
            assert_true(chisquare_uniform(ids, VOCAB) < 4);
        end(&r);
    }
}

static uint32_t word_begin(const struct tsl_sample *s, uint32_t i)
{
    while (!s->starts[i] && i != 33)
        i--;
    return i;
}

static void whole_words_are_masked_wholly_or_not_at_all(void **state)
{
    (void)state;
    struct runs r;
    struct tsl_mlm_opts o = opts();
    o.unit = TSL_MLM_WORDS;
    o.mask_share = 1;
    o.random_share = 0;
    begin(&r, &o);
    for (uint64_t i = 0; i < 3000; i++) {
        run(&r, 0, i);
        assert_true(r.s.nmasked <= 10);
        for (uint32_t p = 1; p < N; p++)
            if (p != 32 && p != 63 && word_begin(&r.s, p) != p)
                assert_int_equal(r.s.ids[p] == MASK, r.s.ids[p - 1] == MASK);
    }
    assert_true(r.t.got > r.t.asked * 98 / 100);
    end(&r);
}

/* BERT's walk over shuffled words, as its script has it, gives the same share to each
 * word: the first words of 1, 2 and 3 tokens are compared. */
static void words_are_drawn_as_by_a_walk_over_shuffled_ones(void **state)
{
    (void)state;
    struct runs r;
    struct tsl_mlm_opts o = opts();
    uint32_t first[N], len[N], nwords = 0;
    uint64_t seen[N] = { 0 }, x = 9;
    o.unit = TSL_MLM_WORDS;
    begin(&r, &o);
    for (uint64_t i = 0; i < 20000; i++)
        run(&r, 0, i);
    for (uint32_t p = 1; p < 63; p++) {
        if (p == 32)
            continue;
        if (word_begin(&r.s, p) == p) {
            first[nwords] = p;
            len[nwords++] = 1;
        } else
            len[nwords - 1]++;
    }
    for (unsigned t = 0; t < 20000; t++) {
        uint32_t order[N], room = 10;
        for (uint32_t i = 0; i < nwords; i++)
            order[i] = i;
        for (uint32_t i = nwords - 1; i > 0; i--) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
            uint32_t j = (uint32_t)((x >> 33) % (i + 1)), w = order[i];
            order[i] = order[j];
            order[j] = w;
        }
        for (uint32_t i = 0; i < nwords && room; i++)
            if (len[order[i]] <= room) {
                room -= len[order[i]];
                seen[order[i]]++;
            }
    }
    double off = 0;
    for (uint32_t w = 0; w < nwords; w++) {
        double a = (double)seen[w], b = (double)r.places[first[w]];
        off += (a - b) * (a - b) / (a + b);
    }
    assert_true(off < nwords + 5 * sqrt(2. * nwords));
    end(&r);
}

static void words_end_at_specials_unless_asked(void **state)
{
    (void)state;
    for (unsigned defect = 0; defect < 2; defect++) {
        struct runs r;
        struct tsl_mlm_opts o = opts();
        unsigned together = 0, apart = 0;
        o.unit = TSL_MLM_WORDS;
        o.mask_share = 1;
        o.random_share = 0;
        o.across_specials = defect;
        begin(&r, &o);
        for (uint64_t i = 0; i < 2000; i++) {
            run(&r, 0, i); /* 33 is no start: it goes on from 31 */
            together += r.s.ids[31] == MASK && r.s.ids[33] == MASK;
            apart += (r.s.ids[31] == MASK) != (r.s.ids[33] == MASK);
        }
        assert_true(defect ? apart == 0 && together > 0 : apart > 0);
        end(&r);
    }
}

static void runs_of_words_have_the_lengths_asked_for(void **state)
{
    (void)state;
    struct runs r;
    struct tsl_mlm_opts o = opts();
    uint64_t lengths[4] = { 0 };
    double want[4];
    o.unit = TSL_MLM_NGRAMS;
    o.mask_share = 1;
    o.random_share = 0;
    o.rate = .05; /* 3 places: one run of single tokens */
    tsl_mlm_weights_albert(&o, 3);
    begin(&r, &o);
    for (uint64_t i = 0; i < 20000; i++) {
        fill(&r.s, i);
        memset(r.s.starts, 1, N);
        tsl_mlm_apply(r.m, 0, &r.s, &r.t);
        /* which run came first is not to be seen: look where all three are one */
        uint32_t n = r.s.nmasked;
        assert_true(n == 3);
        lengths[r.s.places[2] - r.s.places[0] == 2 ? 3 : 0]++;
    }
    /* one run of three: 2/11; others give three in a row rarely */
    want[3] = 20000 * 2. / 11;
    assert_true((double)lengths[3] > want[3] * .9 && (double)lengths[3] < want[3] * 1.35);
    end(&r);
}

static void spans_stop_at_the_share_and_keep_to_words(void **state)
{
    (void)state;
    struct runs r;
    struct tsl_mlm_opts o = opts();
    uint64_t nruns = 0;
    o.unit = TSL_MLM_SPANS;
    o.decide = TSL_MLM_EACH_RUN;
    tsl_mlm_weights_geometric(&o, .2, 10);
    begin(&r, &o);
    for (uint64_t i = 0; i < 5000; i++) {
        run(&r, 0, i);
        assert_int_equal(r.s.nmasked, 10);
        for (uint32_t k = 0; k < r.s.nmasked; k++) {
            bool begins = k == 0 || r.s.places[k] != r.s.places[k - 1] + 1;
            nruns += begins;
            if (begins)
                assert_int_equal(word_begin(&r.s, r.s.places[k]), r.s.places[k]);
            /* one draw a run: masks stand together */
            else if (r.s.ids[r.s.places[k]] == MASK)
                assert_true(r.s.ids[r.s.places[k - 1]] == MASK);
        }
    }
    assert_true(nruns < 5000 * 3 && nruns > 5000);
    end(&r);
}

static void synonyms_stand_for_ids_that_have_some(void **state)
{
    (void)state;
    uint32_t at[N + 1] = { 0 }, ids[6 * N], len[N], nwords = 0, n = 0;
    for (uint32_t i = 1; i < N - 2; i++) { /* of words of one and two tokens */
        uint32_t id = 110 + i;
        if (i % 6 != 1 && i % 6 != 2)
            continue;
        len[nwords] = i % 6;
        for (uint32_t k = 0; k < i % 6; k++)
            ids[n++] = id + k;
        for (uint32_t k = 0; k < i % 6; k++)
            ids[n++] = id + k + 200;
        at[++nwords] = n;
    }
    struct tsl_mlm_synonyms y = { nwords, at, len, ids };
    struct runs r;
    struct tsl_mlm_opts o = opts();
    o.synonyms = &y;
    o.mask_share = 1;
    o.random_share = 0;
    o.unit = TSL_MLM_NGRAMS;
    tsl_mlm_weights_macbert(&o);
    begin(&r, &o);
    for (uint64_t i = 0; i < 1000; i++) {
        run(&r, 0, i);
        for (uint32_t k = 0; k < r.s.nmasked; k++)
            if (r.s.places[k] % 6 >= 1 && r.s.places[k] % 6 <= 3 && r.s.places[k] != 33 &&
                r.s.places[k] != 62) /* cut by [SEP] */
                assert_int_equal(r.s.ids[r.s.places[k]], r.s.targets[k] + 200);
    }
    assert_int_equal(r.t.masked, 0);
    assert_int_equal(r.t.synonyms + r.t.random, r.t.got);
    assert_true(r.t.synonyms && r.t.random);
    end(&r);
}

static void rates_are_rounded_up_or_down_at_random_if_asked(void **state)
{
    (void)state;
    struct runs r;
    struct tsl_mlm_opts o = opts();
    o.dither = true;
    begin(&r, &o);
    for (uint64_t i = 0; i < 20000; i++)
        run(&r, 0, i);
    assert_true(fabs((double)r.t.asked - 20000 * 9.6) < 5 * sqrt(20000 * .24));
    end(&r);
}

static void words_can_be_chosen_independently(void **state)
{
    (void)state;
    struct runs r;
    struct tsl_mlm_opts o = opts();
    uint64_t counts[2] = { 0 };
    o.independent = true;
    o.unit = TSL_MLM_WORDS;
    begin(&r, &o);
    for (uint64_t i = 0; i < 20000; i++)
        run(&r, 0, i);
    /* the words at 2 and at 4, of two and three tokens */
    assert_true(r.places[2] == r.places[3] && r.places[4] == r.places[6]);
    counts[0] = r.places[2] + r.places[4] + r.places[1];
    counts[1] = 60000 - counts[0];
    double want[] = { 60000 * .15, 60000 * .85 };
    assert_true(chisquare_sigmas(counts, want, 2) < 4);
    assert_int_equal(r.t.got, r.t.asked);
    end(&r);
}

static void every_token_can_be_masked(void **state)
{
    (void)state;
    struct runs r;
    struct tsl_mlm_opts o = opts();
    for (unsigned unit = TSL_MLM_TOKENS; unit <= TSL_MLM_SPANS; unit++) {
        o.unit = (enum tsl_mlm_unit)unit;
        o.rate = 1;
        tsl_mlm_weights_geometric(&o, .2, 10);
        begin(&r, &o);
        run(&r, 0, unit);
        /* runs that touch chosen words are passed over, so some words stay */
        if (unit != TSL_MLM_NGRAMS)
            assert_int_equal(r.s.nmasked, N - 3);
        assert_int_equal(r.t.short_samples, 1);
        end(&r);
        o.rate = 0;
        begin(&r, &o);
        run(&r, 0, unit);
        assert_int_equal(r.s.nmasked, 0);
        end(&r);
    }
}

static void samples_of_specials_or_nothing_are_left_alone(void **state)
{
    (void)state;
    struct runs r;
    struct tsl_mlm_opts o = opts();
    begin(&r, &o);
    for (uint32_t n = 0; n < 3; n++) {
        tsl_sample_clear(&r.s, n);
        for (uint32_t i = 0; i < n; i++)
            tsl_sample_add_special(&r.s, SEP);
        tsl_mlm_apply(r.m, 0, &r.s, NULL);
        assert_int_equal(r.s.nmasked, 0);
    }
    end(&r);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct tsl_mlm *m = NULL;
    struct tsl_err err = { 0 };
    struct tsl_mlm_opts o = opts();
    o.rate = 1.5;
    assert_err(tsl_mlm_create(&m, &o, &err), TSL_EUSAGE, &err, "1.5");
    o = opts();
    o.random_share = .3;
    assert_err(tsl_mlm_create(&m, &o, &err), TSL_EUSAGE, &err, "0.3");
    o = opts();
    o.special.mask = -1;
    assert_err(tsl_mlm_create(&m, &o, &err), TSL_EUSAGE, &err, "no mask");
    o = opts();
    o.unit = TSL_MLM_SPANS;
    assert_err(tsl_mlm_create(&m, &o, &err), TSL_EUSAGE, &err, "weights");
    o = opts();
    uint8_t all[VOCAB / 8 + 1];
    memset(all, 255, sizeof all);
    o.special.reserved = all;
    assert_err(tsl_mlm_create(&m, &o, &err), TSL_EUSAGE, &err, "no id");
    assert_null(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bert_masks_each_token_alike),
        TEST(masks_are_a_function_of_seed_epoch_and_address),
        TEST(the_masks_of_version_1_stay),
        TEST(replacements_are_any_ids_but_specials),
        TEST(whole_words_are_masked_wholly_or_not_at_all),
        TEST(words_are_drawn_as_by_a_walk_over_shuffled_ones),
        TEST(words_end_at_specials_unless_asked),
        TEST(runs_of_words_have_the_lengths_asked_for),
        TEST(spans_stop_at_the_share_and_keep_to_words),
        TEST(synonyms_stand_for_ids_that_have_some),
        TEST(rates_are_rounded_up_or_down_at_random_if_asked),
        TEST(words_can_be_chosen_independently),
        TEST(every_token_can_be_masked),
        TEST(samples_of_specials_or_nothing_are_left_alone),
        TEST(options_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
