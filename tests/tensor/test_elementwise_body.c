/* The kernels number by number: the same bits from every table, at any length; nothing is
 * touched behind the end. */
#include <math.h>

#include "support/kernelset.h"
#include "support/opfixture.h"

enum { N = 67, FRAME = N + 1 };

static void fill(float *x, uint64_t seed)
{
    static const float odd[] = { 0,       -0.0f,   NAN,   INFINITY, -INFINITY,
                                 1e-40f,  -1e-40f, 1e30f, -1e30f,   88.9f,
                                 -104.1f, 3e5f,    -9e9f };
    static const float size[] = { 1, 12, 90, 1e5f };
    kernelset_fill(x, FRAME, seed, size[seed % 4]);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        x[(5 * i + seed) % N] = odd[i];
}

static void functions_give_the_same_bits_everywhere(void **state)
{
    (void)state;
    size_t ntables;
    const struct tsl_kernels *const *k = kernelset(&ntables);
    float x[FRAME], dy[FRAME], right[FRAME], y[FRAME];
    for (unsigned f = 0; f < TSL_UNARIES; f++)
        for (size_t n = 0; n <= N; n++) {
            fill(x, n + f);
            fill(dy, n + f + 1);
            for (size_t t = 0; t < ntables; t++)
                for (unsigned grad = 0; grad < 2; grad++) {
                    if (grad ? !k[t]->unary_grad[f] : !k[t]->unary[f])
                        continue;
                    memcpy(y, x, sizeof y);
                    memcpy(right, x, sizeof right);
                    if (grad) {
                        k[0]->unary_grad[f](right, dy, right, n);
                        k[t]->unary_grad[f](y, dy, y, n);
                    } else {
                        k[0]->unary[f](right, right, n);
                        k[t]->unary[f](y, y, n);
                    }
                    if (!kernelset_same(right, y, FRAME) ||
                        memcmp(&y[n], &x[n], sizeof *y))
                        fail_msg("function %u of %s, %zu numbers", f, k[t]->name, n);
                }
        }
}

static void sums_and_products_give_the_same_bits_everywhere(void **state)
{
    (void)state;
    size_t ntables;
    const struct tsl_kernels *const *k = kernelset(&ntables);
    float a[FRAME], b[FRAME], right[FRAME], y[FRAME];
    for (size_t n = 0; n <= N; n++) {
        fill(a, n);
        fill(b, n + 1);
        for (size_t t = 0; t < ntables; t++) {
            for (unsigned f = 0; f < 4; f++) {
                for (size_t i = 0; i < FRAME; i++)
                    right[i] = i >= n   ? a[i]
                               : f == 0 ? a[i] + b[i]
                               : f == 1 ? a[i] - b[i]
                               : f == 2 ? a[i] * b[i]
                                        : a[i] / b[i];
                memcpy(y, a, sizeof y);
                k[t]->binary[f](y, y, b, n);
                assert_true(kernelset_same(right, y, FRAME));
            }
            for (unsigned adds = 0; adds < 2; adds++) {
                for (size_t i = 0; i < FRAME; i++) {
                    float v = 3 * b[i] + 0.1f;
                    right[i] = i >= n ? a[i] : adds ? a[i] + v : v;
                }
                memcpy(y, a, sizeof y);
                k[t]->affine(y, b, 3, 0.1f, adds, n);
                assert_true(kernelset_same(right, y, FRAME));
            }
        }
    }
}

static void columns_are_added_row_after_row(void **state)
{
    (void)state;
    size_t ntables;
    const struct tsl_kernels *const *k = kernelset(&ntables);
    enum { GAP = 5 };
    static float x[9 * (N + GAP)];
    kernelset_fill(x, 9 * (N + GAP), 3, 1);
    for (size_t cols = 1; cols <= N; cols++)
        for (size_t t = 0; t < ntables; t++) {
            float y[FRAME], right[FRAME];
            kernelset_fill(y, FRAME, 4, 1);
            memcpy(right, y, sizeof y);
            for (size_t r = 0; r < 9; r++)
                for (size_t c = 0; c < cols; c++)
                    right[c] += x[r * (cols + cols % 3 * 2) + c];
            k[t]->add_rows(y, x, 9, cols, cols + cols % 3 * 2);
            assert_memory_equal(right, y, sizeof y);
        }
}

static void functions_and_gradients_are_those_of_the_fixtures(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        enum tsl_unary f;
    } known[] = {
        { "gelu_erf", TSL_GELU_ERF },
        { "gelu_tanh", TSL_GELU_TANH },
        { "relu", TSL_RELU },
        { "leaky_relu", TSL_LEAKY_RELU },
        { "sigmoid", TSL_SIGMOID },
        { "softplus", TSL_SOFTPLUS },
        { "squareplus", TSL_SQUAREPLUS },
        { "swish", TSL_SWISH },
        { "tanh", TSL_TANH },
    };
    const struct tsl_kernels *k = tsl_kernels();
    float x[OPFIXTURE_MAX], dy[OPFIXTURE_MAX], y[OPFIXTURE_MAX];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = opfixture_floats(known[i].op, "x", x);
        opfixture_floats(known[i].op, "dy", dy);
        k->unary[known[i].f](y, x, n);
        opfixture_is(known[i].op, "y", y, 3e-7);
        if (!k->unary_grad[known[i].f])
            continue;
        k->unary_grad[known[i].f](y, dy, x, n);
        opfixture_is(known[i].op, "dx", y, 3e-7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(functions_give_the_same_bits_everywhere),
        TEST(sums_and_products_give_the_same_bits_everywhere),
        TEST(columns_are_added_row_after_row),
        TEST(functions_and_gradients_are_those_of_the_fixtures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
