/* Is every order as likely as every other?  The order is that of the keys, so most of
 * this looks at keys; that the whole job gives just that order is the first test. */
#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/key.h"
#include "shuf/shufjob.h"
#include "support/gendata.h"

/* A statistic farther than this from what uniform orders give is a failure: once in two
 * million tests by chance, and never by chance twice, since the seeds are fixed. */
#define SIGMAS 5.0

struct keyed {
    uint64_t key;
    uint32_t row;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* v[0, n): rows of that many bytes (with their separator) in the order of seed. */
static void order(struct keyed *v, size_t n, uint64_t row_bytes, uint64_t seed)
{
    struct tsl_key k = tsl_key_make(seed, "shuffle rows");
    for (size_t i = 0; i < n; i++)
        v[i] = (struct keyed){ tsl_key_at(&k, i * row_bytes), (uint32_t)i };
    if (n > 8) {
        qsort(v, n, sizeof *v, by_key);
        return;
    }
    for (size_t i = 1; i < n; i++) /* many small ones: faster so */
        for (size_t j = i; j > 0 && by_key(&v[j], &v[j - 1]) < 0; j--) {
            struct keyed x = v[j];
            v[j] = v[j - 1];
            v[j - 1] = x;
        }
}

/* Sigmas that a chi-square of df degrees is too large (Wilson and Hilferty 1931). */
static double excess(double chi2, double df)
{
    return (cbrt(chi2 / df) - (1 - 2 / (9 * df))) / sqrt(2 / (9 * df));
}

static void the_job_s_order_is_the_keys_order(void **state)
{
    enum { N = 400 };
    static const char *const dirs[] = { "." }, *const patterns[] = { "out" };
    struct keyed v[N];
    char in[N * 8 + 1], want[N * 8 + 1];
    (void)state;
    for (size_t i = 0; i < N; i++)
        sprintf(in + 8 * i, "row%04d\n", (int)i);
    for (uint64_t seed = 0; seed < 120; seed++) {
        size_t n = 1 + seed * 37 % N;
        struct tsl_err err = { 0 };
        struct tsl_shufjob_stats st;
        struct tsl_shufjob_opts o = {
            .seed = seed,
            .memory = 1 << 20,
            .nthreads = 1 + (unsigned)seed % 3,
            .rows_given = (const uint8_t *)in,
            .rows_given_len = 8 * n,
            .verify = true,
            .head = UINT64_MAX,
            .sample = 1,
            .dirs = dirs,
            .ndirs = 1,
            .out = { .patterns = patterns },
        };
        assert_ok(tsl_shufjob_run(&o, &st, &err), &err);
        order(v, n, 8, seed);
        for (size_t i = 0; i < n; i++)
            memcpy(want + 8 * i, in + 8 * v[i].row, 8);
        assert_true(file_is("out", want, 8 * n));
    }
}

/* The number of an order among the n! there are. */
static unsigned number_of(const struct keyed *v, size_t n)
{
    unsigned number = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned smaller = 0;
        for (size_t j = i + 1; j < n; j++)
            smaller += v[j].row < v[i].row;
        number = number * (unsigned)(n - i) + smaller;
    }
    return number;
}

static void every_order_of_a_few_rows_is_as_likely(void **state)
{
    static const uint64_t row_bytes[] = { 1, 2, 8, 100, 4096 };
    (void)state;
    for (size_t n = 3; n <= 5; n++)
        for (size_t k = 0; k < sizeof row_bytes / sizeof *row_bytes; k++) {
            enum { SEEDS = 30000 };
            unsigned norders = n == 3 ? 6 : n == 4 ? 24 : 120;
            uint64_t counts[120] = { 0 };
            struct keyed v[5];
            double chi2 = 0, expected = (double)SEEDS / norders;
            for (uint64_t seed = 0; seed < SEEDS; seed++) {
                order(v, n, row_bytes[k], seed);
                counts[number_of(v, n)]++;
            }
            for (unsigned i = 0; i < norders; i++)
                chi2 += ((double)counts[i] - expected) * ((double)counts[i] - expected) /
                        expected;
            assert_true(fabs(excess(chi2, norders - 1)) < SIGMAS);
        }
}

static void every_row_is_as_likely_in_every_place(void **state)
{
    enum { N = 100, SEEDS = 20000 };
    static unsigned counts[N][N];
    struct keyed v[N];
    double chi2 = 0, expected = (double)SEEDS / N;
    (void)state;
    memset(counts, 0, sizeof counts);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        order(v, N, 20, seed);
        for (size_t i = 0; i < N; i++)
            counts[v[i].row][i]++;
    }
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            chi2 += (counts[i][j] - expected) * (counts[i][j] - expected) / expected;
    /* rows and columns have fixed sums: (N-1)^2 degrees, cells of variance (1 - 1/N) */
    assert_true(fabs(excess(chi2 * (N - 1) / N, (N - 1.0) * (N - 1))) < SIGMAS);
}

/* A shuffle that deals the rows of m chunks out evenly is too well mixed: neighbours of
 * the output come from the same chunk of the input less often than (n-1)/(mn-1). */
static void neighbours_come_from_one_chunk_as_often_as_they_should(void **state)
{
    static const struct {
        unsigned m, n;
    } shapes[] = { { 4, 5 }, { 10, 100 }, { 2, 50 }, { 50, 2 } };
    static struct keyed v[1000];
    (void)state;
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        unsigned m = shapes[k].m, n = shapes[k].n, N = m * n;
        const unsigned nseeds = 400000 / N;
        double sum = 0, squares = 0, want = (n - 1.0) / (N - 1.0);
        for (uint64_t seed = 0; seed < nseeds; seed++) {
            unsigned same = 0;
            order(v, N, 16, seed);
            for (unsigned i = 1; i < N; i++)
                same += v[i].row / n == v[i - 1].row / n;
            double share = same / (N - 1.0);
            sum += share;
            squares += share * share;
        }
        double mean = sum / nseeds, var = squares / nseeds - mean * mean;
        assert_true(fabs(mean - want) < SIGMAS * sqrt(var / nseeds));
    }
}

/* The order of a million rows rises and falls as often as a random one: runs up and down
 * have mean (2n-1)/3 and variance (16n-29)/90 (Wald and Wolfowitz 1943). */
static void a_million_rows_rise_and_fall_as_often_as_they_should(void **state)
{
    enum { N = 1000000 };
    struct keyed *v = malloc(N * sizeof *v);
    double runs = 1, lag = 0;
    (void)state;
    order(v, N, 64, 1);
    for (size_t i = 2; i < N; i++)
        runs += (v[i].row > v[i - 1].row) != (v[i - 1].row > v[i - 2].row);
    assert_true(fabs(runs - (2.0 * N - 1) / 3) < SIGMAS * sqrt((16.0 * N - 29) / 90));
    /* and neighbours are not correlated */
    for (size_t i = 1; i < N; i++)
        lag += ((double)v[i].row / N - 0.5) * ((double)v[i - 1].row / N - 0.5);
    assert_true(fabs(lag) < SIGMAS * sqrt(N) / 12);
    free(v);
}

enum { LOG_N = 15, N_ACROSS = 1 << LOG_N };

/* Do two orders of the same rows look unrelated?  Returns the worst of several
 * statistics, in sigmas. */
static double relation(const uint64_t *key1, const uint64_t *key2)
{
    static struct keyed v1[N_ACROSS], v2[N_ACROSS];
    static uint32_t rank1[N_ACROSS], rank2[N_ACROSS], counts[2 * N_ACROSS];
    double worst = 0, product = 0;
    for (unsigned k = 0; k < LOG_N;
         k++) { /* pairs (i, i xor 2^k): each once, all apart */
        unsigned agree = 0;
        for (uint32_t i = 0; i < N_ACROSS; i++)
            if (!(i >> k & 1)) {
                uint32_t j = i | 1u << k;
                agree += (key1[i] < key1[j]) == (key2[i] < key2[j]);
            }
        worst = fmax(worst, fabs(agree - N_ACROSS / 4.0) / sqrt(N_ACROSS / 8.0));
    }
    for (uint32_t i = 0; i < N_ACROSS; i++) {
        v1[i] = (struct keyed){ key1[i], i };
        v2[i] = (struct keyed){ key2[i], i };
    }
    qsort(v1, N_ACROSS, sizeof *v1, by_key);
    qsort(v2, N_ACROSS, sizeof *v2, by_key);
    for (uint32_t i = 0; i < N_ACROSS; i++) {
        rank1[v1[i].row] = i;
        rank2[v2[i].row] = i;
    }
    for (uint32_t i = 0; i < N_ACROSS; i++)
        product += (rank1[i] - N_ACROSS / 2.0) * (rank2[i] - N_ACROSS / 2.0);
    worst = fmax(worst, fabs(product) / (pow(N_ACROSS, 2.5) / 12));
    /* no difference of ranks, and no exclusive-or of the rows in one place, is frequent:
     * about one each; 30 of the same never happen by chance */
    uint32_t most = 0;
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < N_ACROSS; i++) {
        uint32_t c = ++counts[rank1[i] + N_ACROSS - 1 - rank2[i]];
        most = c > most ? c : most;
    }
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < N_ACROSS; i++) {
        uint32_t c = ++counts[v1[i].row ^ v2[i].row];
        most = c > most ? c : most;
    }
    return fmax(worst, most / 30.0 * SIGMAS);
}

static void orders_of_two_seeds_are_unrelated(void **state)
{
    static const uint64_t seeds[][2] = { { 1, 2 },
                                         { 0, 1 },
                                         { 1, 129 },
                                         { 7, 1 << 20 },
                                         { 0, UINT64_C(1) << 63 },
                                         { 5, ~UINT64_C(5) } };
    static uint64_t key1[N_ACROSS], key2[N_ACROSS];
    (void)state;
    for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++) {
        struct tsl_key a = tsl_key_make(seeds[s][0], "shuffle rows");
        struct tsl_key b = tsl_key_make(seeds[s][1], "shuffle rows");
        for (uint64_t i = 0; i < N_ACROSS; i++) {
            key1[i] = tsl_key_at(&a, 128 * i);
            key2[i] = tsl_key_at(&b, 128 * i);
        }
        assert_true(relation(key1, key2) < SIGMAS);
    }
}

/* The shuffles that the test above is there to catch: the bare hash of the address, whose
 * seed is only XORed in; and one order turned by some places. */
static void related_orders_are_recognised(void **state)
{
    static uint64_t key1[N_ACROSS], key2[N_ACROSS];
    (void)state;
    for (uint64_t i = 0; i < N_ACROSS; i++) {
        uint64_t addr = 128 * i;
        key1[i] = tsl_hash64(&addr, sizeof addr, 0);
        uint64_t other = 128 * (i ^ 1000);
        key2[i] = tsl_hash64(&other, sizeof other, 0);
    }
    assert_true(relation(key1, key2) > SIGMAS);
    for (uint64_t i = 0; i < N_ACROSS; i++)
        key2[i] = key1[i] + (UINT64_C(1) << 62);
    assert_true(relation(key1, key2) > SIGMAS);
    for (uint64_t i = 0; i < N_ACROSS; i++)
        key2[i] = ~key1[i];
    assert_true(relation(key1, key2) > SIGMAS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_job_s_order_is_the_keys_order),
        TEST(every_order_of_a_few_rows_is_as_likely),
        TEST(every_row_is_as_likely_in_every_place),
        TEST(neighbours_come_from_one_chunk_as_often_as_they_should),
        TEST(a_million_rows_rise_and_fall_as_often_as_they_should),
        TEST(orders_of_two_seeds_are_unrelated),
        TEST(related_orders_are_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
