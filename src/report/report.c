/* SPDX-License-Identifier: Apache-2.0 */
/* genair report: one HTML page of a workspace, which needs nothing but itself: no script, no address, no file. */
#include "genair.h"

#include "analyze/picture.h"
#include "base/alloc.h"
#include "base/json_text.h"
#include "report/page.h"
#include "workspace/stage_input.h"
#include "workspace/stage_result.h"

#include <string.h>

/* The policy forbids what the page does not have, should escaping ever fail. Pictures are drawn on white: in the dark
 * they are turned over, hues kept. */
static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<style>\n"
    ":root { color-scheme: light dark; --text: #1c1f24; --ground: #fff; --line: #d9dde3; --soft: #f4f5f7; --mark: #c2410c }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root { --text: #e4e6ea; --ground: #16181c; --line: #3a3f47; --soft: #1f2227; --mark: #f0884f }\n"
    "  figure svg { filter: invert(0.91) hue-rotate(180deg) }\n}\n"
    "* { box-sizing: border-box }\n"
    "body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--ground); color: var(--text);\n"
    "  font: 1rem/1.5 system-ui, sans-serif }\n"
    "h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; color: var(--mark) }\n"
    ".wide { overflow-x: auto; margin: .6rem 0 1.2rem }\n"
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }\n"
    "caption { text-align: left; padding: .2rem 0 .4rem; font-weight: 600 }\n"
    "th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top;\n"
    "  white-space: nowrap }\n"
    "thead th { background: var(--soft) } th[scope=row] { font-weight: 400 } .text { text-align: left; white-space: normal }\n"
    ".text:not(:first-child) { min-width: 7rem; max-width: 40rem } .long:not(:first-child) { min-width: 18rem }\n"
    "summary { cursor: pointer; padding: .35rem 0 } code { background: var(--soft); padding: 0 .25rem }\n"
    ".figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem }\n"
    "figure { margin: 0; min-width: 0 } figure svg { display: block; width: 100%; max-width: 44rem; height: auto }\n"
    "figcaption { font-size: .85rem; padding-top: .3rem }\n"
    "</style>\n";

static genair_code put_page(struct page *p, genair_status *st) {
    static genair_code (*const sections[])(struct page *, genair_status *) = {
        report_data,        report_archetypes, report_vectors,     report_runs,
        report_comparisons, report_curves,     report_run_pictures};
    const struct text name = path_name(workspace_path(p->workspace));
    html_put(&p->html, head);
    html_put(&p->html, "<title>GenAIR: ");
    html_text(&p->html, name);
    html_put(&p->html, "</title>\n</head>\n<body>\n<main>\n<h1>GenAIR: ");
    html_text(&p->html, name);
    html_put(&p->html, "</h1>\n");
    genair_code code = p->html.code;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0] && code == GENAIR_OK; i++)
        code = sections[i](p, st);
    if (!p->pictures) html_put(&p->html, "<p>Training curves are drawn by gnuplot, which was not there.</p>\n");
    html_put(&p->html, "</main>\n<footer><p>genair " GENAIR_VERSION "</p></footer>\n</body>\n</html>\n");
    return code == GENAIR_OK ? p->html.code : code;
}

static genair_code write_page(struct page *p, const char *path, genair_status *st) {
    p->html.st = st;
    genair_code code = writer_open(path, &p->html.writer, st);
    if (code != GENAIR_OK) return code;
    code = put_page(p, st);
    if (code == GENAIR_OK && json_lost()) code = fail_memory(st);
    if (code == GENAIR_OK) return writer_commit(p->html.writer, st);
    writer_abandon(p->html.writer);
    return code;
}

static genair_code with_staging(struct page *p, const char *path, genair_status *st) {
    char *staging = path_join(workspace_path(p->workspace), "report.partial");
    p->staging = staging;
    genair_code code = staging ? directory_make(staging, st) : fail_memory(st);
    if (code == GENAIR_OK) code = report_runs_open(p, st);
    if (code == GENAIR_OK) code = write_page(p, path, st);
    report_runs_free(p);
    if (staging) {
        const genair_code removed = directory_remove(staging, code == GENAIR_OK ? st : NULL);
        if (code == GENAIR_OK) code = removed;
    }
    mem_free(staging);
    return code;
}

static genair_code report(struct page *p, json_t **out, genair_status *st) {
    const char *workspace = option_text(p->options, "workspace"), *given = option_text(p->options, "out");
    genair_code code = workspace_open(p->ctx, workspace, "report", false, &p->workspace, st);
    if (code != GENAIR_OK) return code;
    if (given) code = stage_output_check(workspace, "out", given, st);
    char *path = given ? mem_text(given, strlen(given)) : path_join(workspace, "report.html");
    if (code == GENAIR_OK) code = path ? catalogue_open(workspace, &p->catalogue, st) : fail_memory(st);
    if (code == GENAIR_OK) {
        p->pictures = pictures_possible();
        code = with_staging(p, path, st);
        catalogue_close(&p->catalogue);
    }
    if (code == GENAIR_OK) {
        *out = json_pack("{s:s, s:I, s:b}", "page", path, "runs", (json_int_t)p->n_runs, "pictures", (int)p->pictures);
        if (!*out) code = fail_memory(st);
    }
    mem_free(path);
    workspace_close(p->workspace);
    return code;
}

GENAIR_API genair_code genair_report(genair_context *ctx, const genair_options *o, char **json, genair_status *st) {
    const double begin = context_seconds();
    struct page p = {.ctx = ctx, .options = o};
    json_t *result = NULL;
    genair_code code = options_check_command(o, "report", st);
    if (code == GENAIR_OK) code = option_require(o, "workspace", st);
    if (code == GENAIR_OK) code = report(&p, &result, st);
    if (code == GENAIR_OK) code = stage_result(result, context_seconds() - begin, json, st);
    json_decref(result);
    return code;
}
