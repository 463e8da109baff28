#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/graph_parts.h"
#include "tensor/ops.h"

/* What is known of a tensor while derivatives are recorded. */
struct of_tensor {
    struct tsl_tensor *grad; /* the sum so far, or NULL */
    bool own;                /* nobody else reads grad: it may be added to in place */
    bool reached;            /* depends on one that is asked for */
};

struct deriving {
    struct tsl_graph *g;
    struct of_tensor *of; /* [ntensors], which grows while recording */
    size_t cap;
    bool differentiable;
};

bool tsl_op_is_one(const struct tsl_graph *g, const struct tsl_tensor *d)
{
    return g->one && d->storage == g->one->storage;
}

static bool known(struct deriving *d, const struct tsl_tensor *t)
{
    size_t had = d->cap;
    if (t->number < had)
        return true;
    if (tsl_mem_grow(&d->of, &d->cap, t->number + 1, sizeof *d->of, "derivatives",
                     &d->g->failure) < 0) {
        d->g->failed = TSL_ENOMEM;
        return false;
    }
    memset(d->of + had, 0, (d->cap - had) * sizeof *d->of);
    return true;
}

/* Which outputs of nodes [from, to) depend on what is reached already. */
static void reach(struct deriving *d, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const struct tsl_node *n = d->g->nodes[i];
        bool any = false;
        for (unsigned k = 0; k < n->nin; k++)
            any |= n->in[k] && known(d, n->in[k]) && d->of[n->in[k]->number].reached;
        for (unsigned k = 0; k < n->nout && any && !n->op->flat; k++)
            if (n->out[k]->type != TSL_I32 && known(d, n->out[k]))
                d->of[n->out[k]->number].reached = true;
    }
}

/* x's derivative gets a further summand.  fresh: it was recorded for this alone. */
static void add_up(struct deriving *d, const struct tsl_tensor *x,
                   struct tsl_tensor *more, bool fresh)
{
    if (!more || !known(d, x) || !known(d, more))
        return;
    if (!tsl_tensor_same_shape(x, more)) {
        char a[TSL_TENSOR_TEXT], b[TSL_TENSOR_TEXT];
        tsl_op_fail(d->g, "the derivative of %s by %s came out as %s",
                    tsl_tensor_describe(x, a), more->by ? more->by->op->name : "?",
                    tsl_tensor_describe(more, b));
        return;
    }
    struct of_tensor *of = &d->of[x->number];
    struct tsl_node *by = more->by;
    if (!of->grad) {
        of->grad = more;
        of->own = fresh && by && by->op->run;
    } else if (!d->differentiable && of->own && fresh && by && by->op->can_add &&
               by->out[0] == more && more->nuses == 0 && of->grad->nuses == 0) {
        more->storage = of->grad->storage;
        by->adds = true;
        of->grad = more;
    } else {
        of->grad = tsl_ops_add(d->g, of->grad, more);
        of->own = true;
    }
}

static bool asked_twice(struct tsl_tensor *const *din, unsigned n, unsigned i)
{
    for (unsigned k = 0; k < n; k++)
        if (k != i && din[k] == din[i])
            return true;
    return false;
}

static void back_through(struct deriving *d, size_t from, size_t to);

/* Instead of node n, the primitives that it stands for. */
static void back_expanded(struct deriving *d, struct tsl_node *n,
                          struct tsl_tensor *const *dout)
{
    struct tsl_tensor *out[TSL_NODE_OUTPUTS] = { 0 };
    size_t mark = d->g->nnodes;
    n->op->expand(d->g, n, out);
    size_t end = d->g->nnodes;
    reach(d, mark, end);
    for (unsigned k = 0; k < n->nout; k++)
        if (dout[k] && out[k])
            add_up(d, out[k], dout[k], false);
    back_through(d, mark, end);
}

static void back_node(struct deriving *d, struct tsl_node *n)
{
    struct tsl_tensor *dout[TSL_NODE_OUTPUTS] = { 0 }, *din[TSL_NODE_INPUTS] = { 0 };
    bool need[TSL_NODE_INPUTS] = { 0 }, any = false, wanted = false;
    for (unsigned k = 0; k < n->nout; k++)
        if (known(d, n->out[k]) && d->of[n->out[k]->number].reached)
            any |= (dout[k] = d->of[n->out[k]->number].grad) != NULL;
    for (unsigned k = 0; k < n->nin; k++)
        wanted |= need[k] =
            n->in[k] && known(d, n->in[k]) && d->of[n->in[k]->number].reached;
    if (!any || !wanted || n->op->flat)
        return;
    d->g->scope = n->scope;
    if (n->adds) { /* the sum's other summands are not its inputs */
        tsl_op_fail(d->g,
                    "a gradient is derived that was not asked to be differentiable");
        return;
    }
    if (d->differentiable && n->op->expand) {
        back_expanded(d, n, dout);
        return;
    }
    if (!n->op->grad) {
        tsl_op_fail(d->g, "%s has no derivative%s", n->op->name,
                    d->differentiable ? "" : " (ask for differentiable gradients first)");
        return;
    }
    size_t mark = d->g->ntensors;
    n->op->grad(d->g, n, dout, need, din);
    for (unsigned k = 0; k < n->nin; k++)
        if (need[k] && din[k])
            add_up(d, n->in[k], din[k],
                   din[k]->number >= mark && !asked_twice(din, n->nin, k));
}

static void back_through(struct deriving *d, size_t from, size_t to)
{
    for (size_t i = to; i-- > from && !d->g->failed;)
        back_node(d, d->g->nodes[i]);
}

/* Records the derivatives of y by all that was marked as reached. */
static int derive(struct deriving *d, struct tsl_tensor *y, struct tsl_err *err)
{
    struct tsl_graph *g = d->g;
    size_t end = g->nnodes;
    if (y && tsl_tensor_count(y) != 1)
        tsl_op_fail(g, "what is derived must be one number");
    if (!g->one)
        g->one = tsl_graph_constant(g, 1);
    const char *scope = g->scope;
    if (y && !g->failed) {
        reach(d, 0, end);
        struct tsl_tensor *seed =
            y->rank ? tsl_ops_expand(g, g->one, y->rank, y->dim) : g->one;
        if (seed && known(d, y))
            d->of[y->number].grad = seed;
        back_through(d, 0, end);
    }
    g->scope = scope;
    if (g->failed)
        return tsl_err_set(err, g->failed, "%s", g->failure.msg);
    return 0;
}

int tsl_graph_gradient(struct tsl_graph *g, struct tsl_tensor *y,
                       struct tsl_tensor *const *x, size_t n, bool differentiable,
                       struct tsl_tensor **grads, struct tsl_err *err)
{
    struct deriving d = { .g = g, .differentiable = differentiable };
    for (size_t i = 0; i < n; i++)
        if (x[i] && known(&d, x[i]))
            d.of[x[i]->number].reached = true;
    int rc = derive(&d, y, err);
    for (size_t i = 0; i < n; i++)
        grads[i] = rc == 0 && known(&d, x[i]) ? d.of[x[i]->number].grad : NULL;
    tsl_mem_free(d.of);
    return rc;
}

/* The derivative by a leaf arrives where its parameters have theirs. */
static void bind(struct deriving *d, const struct tsl_graph_leaf *l)
{
    struct tsl_graph *g = d->g;
    struct tsl_tensor *grad = d->of[l->tensor->number].grad;
    float *to = l->first->grad;
    if (!grad) {
        grad = tsl_ops_fill(g, 0, l->tensor->rank, l->tensor->dim);
    } else if (!d->of[l->tensor->number].own || grad->storage->outside || grad->offset) {
        grad = tsl_ops_copy(g, grad);
    }
    if (!grad)
        return;
    grad->storage->outside = true;
    grad->storage->data = to;
}

int tsl_graph_derive(struct tsl_graph *g, struct tsl_tensor *loss, struct tsl_err *err)
{
    struct deriving d = { .g = g };
    for (size_t i = 0; i < g->nleaves; i++)
        if (!g->leaves[i].first->frozen && known(&d, g->leaves[i].tensor))
            d.of[g->leaves[i].tensor->number].reached = true;
    int rc = derive(&d, loss, err);
    for (size_t i = 0; rc == 0 && i < g->nleaves; i++)
        if (!g->leaves[i].first->frozen)
            bind(&d, &g->leaves[i]);
    if (rc == 0 && g->failed)
        rc = tsl_err_set(err, g->failed, "%s", g->failure.msg);
    tsl_mem_free(d.of);
    return rc;
}
