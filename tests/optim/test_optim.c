#include "support/optimcase.h"

#include <float.h>
#include <stdlib.h>

#include "support/fault.h"

enum { NSTEPS = 3 };

static struct tsl_optim_opts with_everything(enum tsl_optim_kind kind)
{
    static const struct tsl_paramgroup groups[] = {
        { .pattern = "wide.*", .lr = 3, .lazy = true },
        { .pattern = "*bias", .has_decay = true, .weight_decay = .05 },
    };
    struct tsl_optim_opts opts = tsl_optim_defaults(kind);
    opts.weight_decay = .1;
    opts.clip_norm = 1;
    opts.factor_min = 3;
    opts.momentum = .9;
    opts.lookahead_k = 2;
    opts.ema_decay = .9;
    opts.update_norm = true;
    opts.group = groups;
    opts.ngroups = 2;
    return opts;
}

static void run(struct optimcase *c, uint64_t from, uint64_t to)
{
    struct tsl_err err = { 0 };
    for (uint64_t t = from; t < to; t++) {
        case_large_grads(c, 100 + t);
        struct tsl_optim_stats stats;
        assert_ok(tsl_optim_step(c->o, 1 / (1 + (double)t), .5, &stats, &err), &err);
        assert_true(stats.grad_norm > 1 && stats.clip_factor < 1);
        assert_true(isfinite(stats.update_norm) && stats.update_norm > 0);
    }
}

static bool same_state(const struct optimcase *a, const struct optimcase *b)
{
    const struct tsl_optim_array *x, *y;
    for (size_t i = 0; (x = tsl_optim_state(a->o, i)) != NULL; i++) {
        y = tsl_optim_state(b->o, i);
        if (!y || strcmp(x->name, y->name) != 0 || x->n != y->n || x->rank != y->rank ||
            memcmp(x->data, y->data, x->n * (x->counts ? 8 : 4)) != 0)
            return false;
    }
    return !memcmp(a->p.values, b->p.values, a->p.numbers * sizeof(float));
}

static void threads_change_no_bit(void **state)
{
    static const unsigned nthreads[] = { 1, 2, 3, 5 };
    (void)state;
    for (int kind = 0; kind < TSL_OPTIM_NKINDS; kind++) {
        struct tsl_optim_opts opts = with_everything((enum tsl_optim_kind)kind);
        struct optimcase one = { 0 };
        case_large(&one);
        case_start(&one, &opts, 0);
        run(&one, 0, NSTEPS);
        for (size_t i = 0; i < sizeof nthreads / sizeof *nthreads; i++) {
            struct optimcase more = { 0 };
            case_large(&more);
            case_start(&more, &opts, nthreads[i]);
            run(&more, 0, NSTEPS);
            assert_true(same_state(&one, &more));
            case_end(&more);
        }
        case_end(&one);
    }
}

static void telling_the_update_does_not_change_it(void **state)
{
    (void)state;
    for (int kind = 0; kind < TSL_OPTIM_NKINDS; kind++) {
        struct tsl_optim_opts opts = tsl_optim_defaults((enum tsl_optim_kind)kind);
        struct optimcase a = { 0 }, b = { 0 };
        struct tsl_optim_stats stats;
        struct tsl_err err = { 0 };
        case_large(&a);
        case_start(&a, &opts, 0);
        opts.update_norm = true;
        case_large(&b);
        case_start(&b, &opts, 0);
        case_large_grads(&a, 1);
        case_large_grads(&b, 1);
        assert_ok(tsl_optim_step(a.o, 1, 1, &stats, &err), &err);
        assert_true(stats.update_norm == 0);
        double sum = 0;
        assert_ok(tsl_optim_step(b.o, 1, 1, &stats, &err), &err);
        assert_true(same_state(&a, &b));
        case_end(&a);
        case_large(&a);
        for (size_t i = 0; i < a.p.numbers; i++) {
            double d = b.p.values[i] - a.p.values[i];
            sum += d * d;
        }
        assert_near(stats.update_norm, sqrt(sum), 1e-6 * sqrt(sum));
        case_end(&a);
        case_end(&b);
    }
}

static void a_state_read_back_goes_on_as_if_nothing_had_been(void **state)
{
    (void)state;
    for (int kind = 0; kind < TSL_OPTIM_NKINDS; kind++) {
        struct tsl_optim_opts opts = with_everything((enum tsl_optim_kind)kind);
        struct optimcase through = { 0 }, first = { 0 }, second = { 0 };
        case_large(&through);
        case_start(&through, &opts, 0);
        run(&through, 0, 5);
        case_large(&first);
        case_start(&first, &opts, 0);
        run(&first, 0, 3);
        case_large(&second);
        case_start(&second, &opts, 2);
        memcpy(second.p.values, first.p.values, first.p.numbers * sizeof(float));
        const struct tsl_optim_array *a;
        for (size_t i = 0; (a = tsl_optim_state(first.o, i)) != NULL; i++)
            memcpy(tsl_optim_state_find(second.o, a->name)->data, a->data,
                   a->n * (a->counts ? 8 : 4));
        assert_int_equal(tsl_optim_steps(second.o), 3);
        run(&second, 3, 5);
        assert_true(same_state(&through, &second));
        case_end(&through);
        case_end(&first);
        case_end(&second);
    }
}

static void a_gradient_that_is_not_finite_changes_nothing(void **state)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    (void)state;
    for (int i = 0; i < 3 * TSL_OPTIM_NKINDS; i++) {
        struct tsl_optim_opts opts =
            with_everything((enum tsl_optim_kind)(i % TSL_OPTIM_NKINDS));
        struct optimcase a = { 0 }, b = { 0 };
        struct tsl_err err = { 0 };
        case_large(&a);
        case_start(&a, &opts, 2);
        run(&a, 0, 1);
        case_large(&b);
        case_start(&b, &opts, 0);
        run(&b, 0, 1);
        case_large_grads(&a, 7);
        a.p.item[4].grad[1] = bad[i / TSL_OPTIM_NKINDS];
        a.p.item[2].grad[30000] = bad[i / TSL_OPTIM_NKINDS];
        assert_err(tsl_optim_step(a.o, 1, 1, NULL, &err), TSL_EFORMAT, &err,
                   "step 2: the gradient of wide.weight is not finite: number 30000");
        assert_true(same_state(&a, &b));
        case_end(&a);
        case_end(&b);
    }
}

static void a_gradient_too_large_for_its_square_is_refused(void **state)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_ADAMW);
    struct tsl_err err = { 0 };
    (void)state;
    case_pair(&c, &opts);
    c.p.item[0].grad[1] = FLT_MAX;
    assert_err(tsl_optim_step(c.o, 1, 1, NULL, &err), TSL_EFORMAT, &err, "so large");
    case_end(&c);
    opts.clip_norm = 1; /* then it is made smaller first */
    case_pair(&c, &opts);
    case_step(&c, (double[]){ 0, FLT_MAX });
    case_is(&c, (double[]){ 1, -2.001 });
    case_end(&c);
}

static void groups_have_their_own_rate_and_decay(void **state)
{
    static const struct tsl_paramgroup groups[] = {
        { .pattern = "crf*", .lr = 100 },
        { .pattern = "still", .frozen = true },
        { .pattern = "*b", .has_decay = true, .weight_decay = .5 },
    };
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_SGD);
    struct tsl_optim_stats stats;
    struct tsl_err err = { 0 };
    (void)state;
    opts.weight_decay = .1;
    opts.decay_in_gradient = false;
    opts.group = groups;
    opts.ngroups = 3;
    case_add(&c, "crf.w", 1, 1, 1);
    case_add(&c, "still", 2, 1, 1);
    case_add(&c, "b", 1, 1, 1);
    case_add(&c, "w", 2, 1, 1);
    case_start(&c, &opts, 0);
    for (int i = 0; i < 4; i++) {
        c.p.item[i].value[0] = 1;
        c.p.item[i].grad[0] = i == 1 ? NAN : .01f;
    }
    assert_ok(tsl_optim_step(c.o, 1, 1, &stats, &err), &err);
    assert_near(c.p.item[0].value[0], .9, 1e-6);
    assert_true(c.p.item[1].value[0] == 1);
    assert_near(c.p.item[2].value[0], 1 - .1 * (.01 + .5), 1e-6);
    assert_near(c.p.item[3].value[0], 1 - .1 * (.01 + .1), 1e-6);
    assert_near(stats.grad_norm, .01 * sqrt(3), 1e-8); /* without what stands still */
    assert_null(tsl_optim_state(c.o, 1));
    case_end(&c);
}

/* kexue.fm 6869: a row without gradient keeps its numbers, though it has momentum. */
static void lazy_rows_wait_for_a_gradient(void **state)
{
    static const struct tsl_paramgroup lazy = { .pattern = "w", .lazy = true };
    struct optimcase c = { 0 }, d = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_ADAMW);
    (void)state;
    case_add(&d, "w", 2, 2, 2);
    case_start(&d, &opts, 0);
    opts.group = &lazy;
    opts.ngroups = 1;
    case_add(&c, "w", 2, 2, 2);
    case_start(&c, &opts, 0);
    case_step(&c, (double[]){ .1, .2, .3, .4 });
    case_step(&d, (double[]){ .1, .2, .3, .4 });
    assert_memory_equal(c.p.values, d.p.values, 16);
    float before[2] = { c.p.values[0], c.p.values[1] };
    case_step(&c, (double[]){ 0, 0, .1, 0 });
    case_step(&d, (double[]){ 0, 0, .1, 0 });
    assert_memory_equal(c.p.values, before, 8);
    assert_memory_equal(c.p.values + 2, d.p.values + 2, 8);
    assert_true(d.p.values[0] != before[0]);
    assert_memory_equal(tsl_optim_state_find(c.o, "m.w")->data,
                        tsl_optim_state_find(d.o, "m.w")->data, 16);
    case_end(&c);
    case_end(&d);
}

static void presets_are_what_was_published(void **state)
{
    struct tsl_optim_opts o;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_optim_preset(&o, "bert4keras", &err), &err);
    assert_true(o.kind == TSL_OPTIM_LAMB && o.lr == .00176 && o.eps == 1e-6);
    assert_true(o.no_bias_correction && o.weight_decay == .01 && o.clip_norm == 0);
    assert_true(o.group[0].no_adaptation && o.group[0].has_decay);
    assert_true(tsl_paramgroup_match(o.group[0].pattern, "Embedding-Norm/gamma"));
    assert_true(tsl_paramgroup_match(o.group[0].pattern, "dense/bias"));
    assert_false(tsl_paramgroup_match(o.group[0].pattern, "mlm-norm-kernel"));
    assert_ok(tsl_optim_preset(&o, "bert", &err), &err);
    assert_true(o.kind == TSL_OPTIM_ADAMW && o.no_bias_correction && o.clip_norm == 1);
    assert_ok(tsl_optim_preset(&o, "lion", &err), &err);
    assert_true(o.kind == TSL_OPTIM_LION && o.lr == 3e-4 && o.beta1 == .95);
    assert_err(tsl_optim_preset(&o, "adamx", &err), TSL_EUSAGE, &err, "adamx");
}

static void presets_meet_the_names_of_public_checkpoints(void **state)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_optim_preset(&opts, "bert", &err), &err);
    opts.lr = 1;
    case_add(&c, "bert.pooler.dense.weight", 2, 1, 2);
    case_add(&c, "bert.pooler.dense.bias", 1, 1, 2);
    case_add(&c, "bert.embeddings.LayerNorm.weight", 1, 1, 2);
    case_start(&c, &opts, 0);
    for (size_t i = 0; i < c.p.numbers; i++)
        c.p.values[i] = 1;
    assert_ok(tsl_optim_step(c.o, 1, 1, NULL, &err),
              &err); /* gradients of zeros: decay alone */
    assert_near(c.p.item[0].value[0], .99, 1e-6);
    assert_true(c.p.item[1].value[1] == 1 && c.p.item[2].value[0] == 1);
    case_end(&c);
}

static void options_that_mean_nothing_are_refused(void **state)
{
    static const struct {
        size_t at;
        double v;
        const char *part;
    } bad[] = {
        { offsetof(struct tsl_optim_opts, lr), -1, "lr cannot be -1" },
        { offsetof(struct tsl_optim_opts, lr), NAN, "lr" },
        { offsetof(struct tsl_optim_opts, beta1), 1, "beta1" },
        { offsetof(struct tsl_optim_opts, beta2), -.1, "beta2" },
        { offsetof(struct tsl_optim_opts, eps), 0, "eps" },
        { offsetof(struct tsl_optim_opts, weight_decay), -1, "weight_decay" },
        { offsetof(struct tsl_optim_opts, clip_norm), INFINITY, "clip_norm" },
        { offsetof(struct tsl_optim_opts, momentum), 1, "momentum" },
        { offsetof(struct tsl_optim_opts, ema_decay), 1, "ema_decay" },
    };
    struct tsl_paramgroup group = { .pattern = "*vorm*" };
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_ADAMW);
    struct tsl_err err = { 0 };
    (void)state;
    case_pair(&c, &opts);
    tsl_optim_destroy(c.o);
    c.o = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        opts = tsl_optim_defaults(TSL_OPTIM_ADAMW);
        memcpy((char *)&opts + bad[i].at, &bad[i].v, sizeof bad[i].v);
        assert_err(tsl_optim_create(&c.o, &c.p, &opts, NULL, &err), TSL_EUSAGE, &err,
                   bad[i].part);
    }
    opts = tsl_optim_defaults(TSL_OPTIM_LAMB);
    opts.decay_in_gradient = true;
    assert_err(tsl_optim_create(&c.o, &c.p, &opts, NULL, &err), TSL_EUSAGE, &err,
               "decay");
    opts = tsl_optim_defaults(TSL_OPTIM_LAMB);
    opts.group = &group;
    opts.ngroups = 1;
    assert_err(tsl_optim_create(&c.o, &c.p, &opts, NULL, &err), TSL_EUSAGE, &err,
               "no parameter has a name like");
    group = (struct tsl_paramgroup){ .pattern = "w", .lr = -1 };
    assert_err(tsl_optim_create(&c.o, &c.p, &opts, NULL, &err), TSL_EUSAGE, &err,
               "group");
    group = (struct tsl_paramgroup){ .pattern = "*", .frozen = true };
    assert_err(tsl_optim_create(&c.o, &c.p, &opts, NULL, &err), TSL_EUSAGE, &err,
               "no parameter to train");
    assert_null(c.o);
    case_end(&c);
}

static int create_one(void *ctx, struct tsl_err *err)
{
    struct optimcase *c = ctx;
    struct tsl_optim *o = NULL;
    for (int kind = 0; kind < TSL_OPTIM_NKINDS; kind++) {
        struct tsl_optim_opts opts = with_everything((enum tsl_optim_kind)kind);
        int rc = tsl_optim_create(&o, &c->p, &opts, NULL, err);
        if (rc < 0)
            return rc;
        tsl_optim_destroy(o);
    }
    return 0;
}

static void lack_of_memory_is_told(void **state)
{
    struct optimcase c = { 0 };
    (void)state;
    case_large(&c);
    fault_each_allocation(create_one, &c);
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_change_no_bit),
        TEST(telling_the_update_does_not_change_it),
        TEST(a_state_read_back_goes_on_as_if_nothing_had_been),
        TEST(a_gradient_that_is_not_finite_changes_nothing),
        TEST(a_gradient_too_large_for_its_square_is_refused),
        TEST(groups_have_their_own_rate_and_decay),
        TEST(lazy_rows_wait_for_a_gradient),
        TEST(presets_are_what_was_published),
        TEST(presets_meet_the_names_of_public_checkpoints),
        TEST(options_that_mean_nothing_are_refused),
        TEST(lack_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
