/* SPDX-License-Identifier: Apache-2.0 */
/* The sections on data, archetypes and item vectors. */
#include "report/page.h"

#include "base/alloc.h"
#include "base/size.h"
#include "workspace/archetypes.h"
#include "workspace/item_parts.h"

#include <string.h>

enum { EXAMPLES = 5 };

const json_t *report_record(const struct page *p, const char *stage, const char *run) {
    char name[128];
    snprintf(name, sizeof name, "%s%s%.64s", stage, run ? "/" : "", run ? run : "");
    return json_object_get(workspace_stages(p->workspace), name);
}

/* Rows "quantity" and "value" of the keys that object has. */
static json_t *listed(const json_t *object, const char *const (*names)[2], size_t n) {
    json_t *rows = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *value = json_object_get(object, names[i][0]);
        if (value) json_array_append_new(rows, json_pack("{s:s, s:O}", "quantity", names[i][1], "value", value));
    }
    return rows;
}

static void put_list(struct page *p, const char *caption, const json_t *object, const char *const (*names)[2], size_t n) {
    json_t *rows = listed(object, names, n);
    html_table(&p->html, caption, rows);
    json_decref(rows);
}

genair_code report_data(struct page *p, genair_status *st) {
    (void)st;
    static const char *const names[][2] = {
        {"users", "users"},
        {"items", "items"},
        {"interactions", "interactions"},
        {"mean_length", "mean length of a history"},
        {"shortest_history", "shortest history"},
        {"longest_history", "longest history"},
        {"sparsity", "sparsity"},
        {"first_time", "first interaction"},
        {"last_time", "last interaction"},
        {"items_with_metadata", "items with metadata"},
        {"pairs", "pairs of items bought together"},
        {"max_cooccurrence", "most frequent pair"},
        {"raw_users", "users in the log"},
        {"raw_items", "items in the log"},
        {"raw_interactions", "interactions in the log"},
        {"skipped_lines", "lines skipped"},
        {"test_users", "test users"},
        {"tied_test_share", "share of tests decided by equal times"},
        {"cold_items", "items kept out of training"},
    };
    html_put(&p->html, "<section><h2>Data</h2>\n");
    put_list(p, "What prepare counted", json_object_get(report_record(p, "prepare", NULL), "result"), names, COUNT(names));
    html_put(&p->html, "</section>\n");
    return p->html.code;
}

/* ---- archetypes ---- */

/* The first items that have an archetype, with what the shop calls them. */
static genair_code put_examples(struct page *p, struct archetypes *a, genair_status *st) {
    json_t *rows = json_array();
    const struct dataset *d = p->catalogue.data;
    genair_code code = rows ? GENAIR_OK : fail_memory(st);
    for (uint32_t i = 1; i <= d->n_items && json_array_size(rows) < EXAMPLES && code == GENAIR_OK; i++) {
        struct archetype one;
        bool found;
        code = archetypes_get(a, dataset_item_name(d, i), &one, &found, st);
        if (code != GENAIR_OK || !found || !one.done) continue;
        json_t *row = json_object();
        if (json_array_append_new(rows, row) != 0 || !catalogue_describe(&p->catalogue, i, "item", "name", row) ||
            json_object_set_new(row, "archetype", json_stringn(one.text.p, one.text.n)) != 0)
            code = fail_memory(st);
    }
    if (code == GENAIR_OK) html_table(&p->html, "The first of them", rows);
    json_decref(rows);
    return code;
}

genair_code report_archetypes(struct page *p, genair_status *st) {
    static const char *const names[][2] = {
        {"items", "items"},
        {"failed", "without an archetype"},
        {"short_answers", "answers of one token or none"},
        {"prompt_tokens", "tokens read"},
        {"generated_tokens", "tokens written"},
        {"columns", "columns of a vector"},
    };
    static const char *const settings[] = {"model_file", "chat_format", "temperature", "top-p", "repetition-penalty",
                                           "max-new-tokens", "seed"};
    struct archetypes *a = NULL;
    const json_t *record = report_record(p, "embed", NULL);
    const char *maker = json_string_value(json_object_get(json_object_get(record, "inputs"), "made_by"));
    if (!maker || strcmp(maker, "archetype") != 0) return GENAIR_OK;
    genair_code code = archetypes_open_read(workspace_path(p->workspace), ARCHETYPES_FILE, &a, st);
    if (code != GENAIR_OK) return code;
    html_put(&p->html, "<section><h2>Archetypes</h2>\n");
    put_list(p, "What the language model wrote", json_object_get(record, "result"), names, COUNT(names));
    if (a) {
        json_t *rows = json_array();
        for (size_t i = 0; i < COUNT(settings); i++) {
            const char *value = archetypes_setting(a, settings[i]);
            if (value) json_array_append_new(rows, json_pack("{s:s, s:s}", "option", settings[i], "value", value));
        }
        html_table(&p->html, "With these settings", rows);
        json_decref(rows);
        code = put_examples(p, a, st);
    }
    html_put(&p->html, "</section>\n");
    archetypes_close(a);
    return code == GENAIR_OK ? p->html.code : code;
}

/* ---- item vectors ---- */

genair_code report_vectors(struct page *p, genair_status *st) {
    const json_t *fuse = json_object_get(report_record(p, "fuse", NULL), "result");
    const json_t *map = report_record(p, "analyze", NULL);
    if (!fuse && !map) return GENAIR_OK;
    html_put(&p->html, "<section><h2>Item vectors</h2>\n");
    json_t *rows = json_array();
    for (size_t i = 0; i < N_PARTS; i++) {
        json_t *part = json_object_get(json_object_get(fuse, "parts"), part_names[i]);
        json_t *row = part ? json_pack("{s:s}", "part", part_names[i]) : NULL;
        if (!row) continue;
        json_object_update(row, part);
        json_array_append_new(rows, row);
    }
    html_table(&p->html, "What fuse kept of them", rows);
    json_decref(rows);
    genair_code code = GENAIR_OK;
    if (json_object_get(json_object_get(map, "outputs"), "analysis/tsne.svg")) {
        code = workspace_verify(p->workspace, "analyze", st);
        char *path = path_join(workspace_path(p->workspace), "analysis/tsne.svg");
        if (code == GENAIR_OK && !path) code = fail_memory(st);
        if (code == GENAIR_OK) {
            html_put(&p->html, "<div class=\"figures\">");
            html_figure(&p->html, path, "Vectors of prompts (prefill) and of answers (decoding), by t-SNE");
            html_put(&p->html, "</div>");
        }
        mem_free(path);
    }
    html_put(&p->html, "</section>\n");
    return code == GENAIR_OK ? p->html.code : code;
}
