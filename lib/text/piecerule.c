#include "text/piecerule.h"

#include "text/uniprop.h"

enum { SPACE = 0x2581, UNKNOWN = 0x2585, PROLONGED = 0x30fc, ANY = -1 };

struct tsl_piecerule tsl_piecerule_defaults(void)
{
    return (struct tsl_piecerule){ .max_chars = 16,
                                   .split_by_unicode_script = true,
                                   .split_by_number = true,
                                   .split_by_whitespace = true };
}

bool tsl_piecerule_reserved(uint32_t cp)
{
    return cp == 0 || cp == '\t' || cp == ' ' || cp == UNKNOWN || cp > 0x10ffff ||
           (cp >= 0xd800 && cp < 0xe000);
}

static bool is_digit(uint32_t cp)
{
    return (cp >= '0' && cp <= '9') || (cp >= 0xff10 && cp <= 0xff19);
}

/* What has no script in the table is Common; an inherited one is the script before it. */
static int script(uint32_t cp, int before)
{
    unsigned s = cp == PROLONGED ? tsl_uni_script(0x4e00) : tsl_uni_script(cp);
    if (s == tsl_uni_script(0x300))
        return before;
    return (int)(s ? s : tsl_uni_script('!'));
}

/* U+2581 as character i of n. */
static bool space_fits(const struct tsl_piecerule *r, size_t i, size_t n)
{
    bool first = i == 0, last = i + 1 == n;
    if (r->whitespace_suffix)
        return last || (!r->split_by_whitespace && !first);
    return first || (!r->split_by_whitespace && !last);
}

static bool only_space(const uint32_t *cp, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cp[i] != SPACE)
            return false;
    return true;
}

bool tsl_piecerule_allows(const struct tsl_piecerule *r, const uint32_t *cp, size_t n)
{
    int before = ANY;
    if (n == 0 || n > r->max_chars)
        return false;
    if (r->whitespace_only_pieces && only_space(cp, n))
        return true;
    for (size_t i = 0; i < n; i++) {
        if (tsl_piecerule_reserved(cp[i]))
            return false;
        if (cp[i] == SPACE) {
            if (!space_fits(r, i, n))
                return false;
            continue;
        }
        if (r->split_digits && is_digit(cp[i]) && n > 1)
            return false;
        int s = script(cp[i], before);
        if (!r->split_by_number && is_digit(cp[i]))
            s = ANY;
        if (r->split_by_unicode_script && s != ANY && before != ANY && s != before)
            return false;
        before = s;
    }
    return true;
}
