/* SPDX-License-Identifier: Apache-2.0 */
/* The rows. Defaults are those of the paper (spec §2, 4-6). */
#include "base/options.h"

#include "base/size.h"

#include <string.h>

// clang-format off
static const struct command_spec commands[] = {
    {"prepare", "Turns a click log and item metadata into a workspace: ids, sequences, split, co-occurrence, statistics.",
     "genair prepare -w ws --interactions clicks.tsv --items items.jsonl"},
    {"archetype", "Has a language model write, item by item, who it is for, and keeps texts and vectors.",
     "genair archetype -w ws --model Qwen2.5-7B-Instruct-Q8_0.gguf"},
    {"embed", "Takes item vectors that were made elsewhere (.npy) into the workspace.",
     "genair embed -w ws --prefill prompt_vectors.npy --decoding answer_vectors.npy"},
    {"fuse", "Reduces the item vectors by principal components and joins them into one matrix.",
     "genair fuse -w ws --components 384"},
    {"train", "Trains one model, a run, and keeps its best epoch.",
     "genair train -w ws --backbone sasrec --method genair --run g1"},
    {"evaluate", "Measures runs on held-out interactions.",
     "genair evaluate -w ws --run g1 --protocol both --groups"},
    {"compare", "Compares runs user by user with paired tests.",
     "genair compare -w ws --run g1 --run b1"},
    {"recommend", "Lists the items a user, or a history typed in, is most likely to want next.",
     "genair recommend -w ws --run g1 --history i5 i9 i31 -k 10"},
    {"similar", "Lists the items nearest to one item.",
     "genair similar -w ws --run g1 --item i5 -k 10"},
    {"sweep", "Trains every combination of some options and compares them on validation.",
     "genair sweep -w ws --method genair --grid alpha=1e-4,1e-3,1e-2 --grid gamma=0,2,4"},
    {"reproduce", "Makes a table or figure of the paper: trains what is missing, sets ours beside theirs.",
     "genair reproduce table2 -w ws --seeds 3"},
    {"export", "Writes ranks, lists and item vectors of a run, or the data, for other programs.",
     "genair export -w ws --run g1 --what ranks --out ranks.tsv"},
    {"analyze", "Draws maps of the item vectors, and what a run has learned by popularity: numbers and pictures.",
     "genair analyze -w ws --run g1 --run b1"},
    {"report", "Writes one HTML page of a workspace, every table and picture in it.",
     "genair report -w ws"},
    {"serve", "Answers requests for recommendations over HTTP, and keeps what users choose.",
     "genair serve -w ws --run g1"},
    {"inspect", "Says what is in a workspace, an array file or a language model.",
     "genair inspect ws/fused.npy"},
    {"bench", "Measures speed beside the machine's own peak.",
     "genair bench train -w ws --backbone sasrec --method genair"},
    {"doctor", "Says what this machine offers, what of it is used, and what is missing.",
     "genair doctor -w ws"},
};

#define PREPARE " prepare "
#define ARCHETYPE " archetype "
#define TRAIN " train sweep reproduce "
#define ENGINE " train sweep reproduce bench "
#define LEARNED "genair|base|melt|rlmrec|llminit|llmemb|alphafuse"
#define TEXT_METHODS " rlmrec llminit llmemb alphafuse "
#define PROMPT " archetype" TRAIN

static const struct option_spec table[] = {
    /* every command */
    {"workspace", 'w', OPTION_TEXT, NULL, .argument = "DIR", .commands = "*",
     .help = "Directory that holds everything made from one data set."},
    {"seed", 0, OPTION_INT, "44", 0, 9007199254740992.0, .argument = "N", .commands = "*",
     .help = "Seed of every random choice; the same seed gives the same bytes."},
    {"threads", 0, OPTION_INT, "0", 0, 1024, .argument = "N", .commands = "*",
     .help = "Threads; 0 for all processors. Results do not depend on it."},
    {"config", 0, OPTION_TEXT, NULL, .argument = "FILE", .commands = "*",
     .help = "Options from a file of lines `name = value`; the command line wins over it."},
    {"json", 0, OPTION_FLAG, "no", .commands = "*",
     .help = "Print the result as one JSON object on standard output, and nothing else there."},
    {"quiet", 'q', OPTION_FLAG, "no", .commands = "*", .help = "No progress; warnings and errors only."},
    {"help", 'h', OPTION_FLAG, "no", .commands = "*", .help = "Show this help."},

    /* prepare */
    {"interactions", 0, OPTION_LIST, NULL, .argument = "FILE...", .commands = PREPARE,
     .help = "Click logs, plain or gzip; several are read one after the other."},
    {"items", 0, OPTION_LIST, NULL, .argument = "FILE...", .commands = PREPARE,
     .help = "Item metadata, plain or gzip."},
    {"format", 0, OPTION_CHOICE, "auto",
     .choices = "auto|tsv|csv|amazon2014|amazon2018|amazon2023|yelp|recbole|movielens", .commands = PREPARE,
     .help = "Layout of the files; auto recognises it from the content."},
    {"user-core", 0, OPTION_INT, "5", 1, 1e6, .argument = "N", .commands = PREPARE,
     .help = "Leave out users with fewer interactions."},
    {"item-core", 0, OPTION_INT, "5", 1, 1e6, .argument = "N", .commands = PREPARE,
     .help = "Leave out items with fewer interactions."},
    {"core-mode", 0, OPTION_CHOICE, "once", .choices = "once|kcore", .commands = PREPARE,
     .help = "once: count on the raw log and drop in one pass; kcore: repeat until nothing changes."},
    {"on-bad-line", 0, OPTION_CHOICE, "fail", .choices = "fail|skip", .commands = PREPARE,
     .help = "A line that cannot be read stops the command, or is skipped and counted."},
    {"split", 0, OPTION_CHOICE, "last", .choices = "last|time", .commands = PREPARE,
     .help = "last: each user's last item is the test; time: everything after one moment is."},
    {"split-time-quantile", 0, OPTION_REAL, "0.9", 0.001, 0.999, .argument = "Q", .commands = PREPARE,
     .help = "With --split time: the share of interactions that lies before the cut."},
    {"cold-items", 0, OPTION_REAL, "0", 0, 0.9, .argument = "SHARE", .commands = PREPARE,
     .help = "Share of the items that training never sees, reported apart by evaluate."},
    {"memory", 0, OPTION_INT, "1024", 1, 16777216, .argument = "MB", .commands = PREPARE,
     .help = "Memory for counting pairs; more goes through temporary files in the workspace."},
    {"candidate-seed", 0, OPTION_INT, "44", 0, 9007199254740992.0, .argument = "N", .commands = PREPARE,
     .help = "Seed of the stored evaluation candidates, one set for every run on this data."},

    /* archetype */
    {"model", 0, OPTION_TEXT, NULL, .argument = "FILE.gguf|DIR", .commands = PROMPT, .methods = " llmemb ",
     .help = "Language model: a GGUF file, or a Hugging Face directory (llama and qwen2 architectures)."},
    {"template", 0, OPTION_TEXT, NULL, .argument = "FILE", .commands = ARCHETYPE,
     .help = "Prompt as plain text with <item_NAME> where the attribute NAME is to stand; the paper's otherwise."},
    {"item-noun", 0, OPTION_TEXT, "item", .argument = "TEXT", .commands = PROMPT, .methods = " llmemb ",
     .help = "What the prompt calls an item: \"fashion item\", \"business\"."},
    {"attribute-characters", 0, OPTION_INT, "100", 1, 1e6, .argument = "N", .commands = PROMPT, .methods = " llmemb ",
     .help = "Characters of an attribute's text at most; the rest is cut off."},
    {"texts", 0, OPTION_TEXT, NULL, .argument = "FILE.jsonl", .commands = ARCHETYPE,
     .help = "Archetypes written elsewhere, {\"item\": ID, \"archetype\": TEXT} a line; the model only reads them."},
    {"max-new-tokens", 0, OPTION_INT, "512", 1, 1e6, .argument = "N", .commands = ARCHETYPE,
     .help = "Longest answer."},
    {"temperature", 0, OPTION_REAL, "0.6", 0, 100, .argument = "X", .commands = ARCHETYPE,
     .help = "How freely the model chooses; 0 is --greedy."},
    {"top-p", 0, OPTION_REAL, "0.9", 1e-6, 1, .argument = "P", .commands = ARCHETYPE,
     .help = "Choose among the likeliest tokens that together have this probability."},
    {"repetition-penalty", 0, OPTION_REAL, "1.2", 0.01, 100, .argument = "X", .commands = ARCHETYPE,
     .help = "How much less likely a token becomes that has occurred already; 1 for none."},
    {"greedy", 0, OPTION_FLAG, "no", .commands = ARCHETYPE, .help = "Always take the likeliest token."},
    {"batch", 0, OPTION_INT, "64", 1, 4096, .argument = "ITEMS", .commands = ARCHETYPE,
     .help = "Items at once. Texts and vectors do not depend on it."},
    {"kv-memory", 0, OPTION_INT, "1024", 1, 16777216, .argument = "MB", .commands = ARCHETYPE,
     .help = "Memory for the keys and values of the items in work; fewer at once when it is spent."},
    {"limit", 0, OPTION_INT, NULL, 1, 4294967294.0, .argument = "N", .commands = ARCHETYPE,
     .help = "Only the first N items, for a look before the long run; no vectors are written."},
    {"show", 0, OPTION_TEXT, NULL, .argument = "ITEM", .commands = ARCHETYPE,
     .help = "Print an item's prompt, archetype and counts instead, also while they are being made."},
    {"restart", 0, OPTION_FLAG, "no", .commands = ARCHETYPE,
     .help = "Throw away the archetypes that the workspace has and begin anew."},

    /* embed */
    {"prefill", 0, OPTION_TEXT, NULL, .argument = "FILE.npy", .commands = " embed ", .matrix = true,
     .help = "Vectors of the items' prompts, a row an item."},
    {"decoding", 0, OPTION_TEXT, NULL, .argument = "FILE.npy", .commands = " embed ", .matrix = true,
     .help = "Vectors of the model's answers, a row an item."},
    {"ids", 0, OPTION_TEXT, NULL, .argument = "FILE", .commands = " embed ",
     .help = "Item id of each row, a line each; without it, a row for each record of the metadata given to prepare, or for "
             "each line of items.jsonl in the workspace."},

    /* fuse */
    {"components", 0, OPTION_INT, "384", 1, 65536, .argument = "N", .commands = " fuse ",
     .help = "Principal components kept of each matrix."},
    {"variance", 0, OPTION_REAL, NULL, 1e-6, 1, .argument = "SHARE", .commands = " fuse ",
     .help = "Instead of --components: the fewest that explain this share of the variance."},
    {"parts", 0, OPTION_CHOICE, "both", .choices = "both|prefill|decoding", .commands = " fuse ",
     .help = "Which vectors go into the item matrix."},
    {"whiten", 0, OPTION_FLAG, "no", .commands = " fuse ",
     .help = "Scale every component to variance 1."},

    {"out", 0, OPTION_TEXT, NULL, .argument = "NAME", .commands = " fuse ", .rule = RULE_NAME,
     .help = "Make fused-NAME.npy, for train --items NAME, and leave the workspace's own item matrix as it is."},

    /* the engine */
    {"backbone", 0, OPTION_CHOICE, "sasrec", .choices = "sasrec|bert4rec|gru4rec", .commands = ENGINE,
     .help = "How a history becomes one vector: self-attention, cloze, or recurrence."},
    {"seq2seq", 0, OPTION_FLAG, "no", .commands = ENGINE,
     .help = "gru4rec learns at every position instead of the last one."},
    {"method", 0, OPTION_CHOICE, "genair", .choices = LEARNED "|pop|itemknn|ease", .commands = TRAIN,
     .help = "genair: from the item vectors; base: a learned table; pop, itemknn, ease: without gradients; the others: docs/methods.md."},
    {"method", 0, OPTION_CHOICE, "genair", .choices = LEARNED, .commands = " bench ",
     .help = "As train's, of the methods that learn by gradients."},
    {"hidden", 0, OPTION_INT, "128", 1, 8192, .argument = "N", .commands = ENGINE,
     .help = "Width of the model."},
    {"layers", 0, OPTION_INT, "2", 1, 64, .argument = "N", .commands = ENGINE,
     .help = "Blocks of sasrec and bert4rec."},
    {"heads", 0, OPTION_INT, "1", 1, 256, .argument = "N", .commands = ENGINE,
     .help = "Attention heads; must divide --hidden."},
    {"dropout", 0, OPTION_REAL, "0.5", 0, 0.99, .argument = "P", .commands = ENGINE,
     .help = "Share of activations dropped while training."},
    {"max-len", 0, OPTION_INT, "200", 1, 100000, .argument = "N", .commands = ENGINE,
     .help = "Longest history looked at; the latest items are kept."},
    {"batch", 0, OPTION_INT, "128", 1, 1e6, .argument = "USERS", .commands = ENGINE,
     .help = "Users in one step."},
    {"loss", 0, OPTION_CHOICE, "bce", .choices = "bce|bpr|ce|sampled-softmax|gbce", .commands = ENGINE,
     .help = "Ranking loss; ce is the full softmax over the catalogue."},
    {"negatives", 0, OPTION_INT, "1", 1, 1e6, .argument = "N", .commands = ENGINE,
     .help = "Negatives for each positive, where the loss draws some."},
    {"gbce-t", 0, OPTION_REAL, "0.75", 0, 1, .argument = "T", .commands = ENGINE,
     .help = "Calibration of the gbce loss: 0 is bce, 1 undoes the sampling's overconfidence."},
    {"attention", 0, OPTION_CHOICE, "causal", .choices = "causal|full", .commands = ENGINE,
     .help = "sasrec looks back only, or both ways as the paper's published code does."},
    {"alpha", 0, OPTION_REAL, "1e-3", 0, 1e3, .argument = "X", .commands = ENGINE,
     .help = "Weight of the calibration term of genair."},
    {"gamma", 0, OPTION_REAL, "4", 0, 100, .argument = "X", .commands = ENGINE,
     .help = "How much less items that are chosen together repel each other."},
    {"calibration", 0, OPTION_CHOICE, "kernel", .choices = "kernel|dot|linear|none", .commands = ENGINE,
     .help = "Form of the calibration term; linear is the published code's."},
    {"calibration-items", 0, OPTION_CHOICE, "positions", .choices = "positions|unique", .commands = ENGINE,
     .help = "An item counts as often as it occurs in the batch, or once."},
    {"mask-probability", 0, OPTION_REAL, "0.6", 0.001, 1, .argument = "P", .commands = ENGINE,
     .help = "Share of a history that bert4rec hides."},
    {"freeze", 0, OPTION_CHOICE, "yes", .choices = "yes|no", .commands = ENGINE,
     .help = "no: the fused item vectors are only the start of a learned table."},
    {"lr", 0, OPTION_REAL, "1e-3", 1e-12, 10, .argument = "X", .commands = ENGINE,
     .help = "Learning rate of Adam."},
    {"weight-decay", 0, OPTION_REAL, "0", 0, 10, .argument = "X", .commands = ENGINE,
     .help = "L2 penalty inside Adam's gradient."},

    /* methods to compare with */
    {"semantic", 0, OPTION_TEXT, "prefill", .argument = "prefill|decoding|fused|scft|FILE.npy", .commands = ENGINE,
     .methods = TEXT_METHODS, .help = "The item vectors from text: those of the workspace, or a file with a row an item."},
    {"semantic-components", 0, OPTION_INT, NULL, 0, 65536, .argument = "N", .commands = ENGINE,
     .methods = " rlmrec llminit llmemb ", .help = "Principal components kept of them; 0 as they are. Without it, 384; llmemb: 1536."},
    {"semantic-scale", 0, OPTION_CHOICE, "none", .choices = "none|unit", .commands = ENGINE, .methods = TEXT_METHODS,
     .help = "unit: every item vector from text is brought to length 1 first."},
    {"base-run", 0, OPTION_TEXT, NULL, .argument = "NAME", .commands = " train sweep bench ", .methods = " melt llmemb ",
     .rule = RULE_NAME, .help = "The finished run of --method base that the method builds on; for llmemb, of sasrec."},
    {"melt-lambda-user", 0, OPTION_REAL, "0.1", 0, 1e3, .argument = "X", .commands = ENGINE, .methods = " melt ",
     .help = "melt: weight of guessing long histories from short ones."},
    {"melt-lambda-item", 0, OPTION_REAL, "0.4", 0, 1e3, .argument = "X", .commands = ENGINE, .methods = " melt ",
     .help = "melt: weight of guessing item vectors from the histories that lead to them."},
    {"melt-pareto", 0, OPTION_REAL, "0.8", 0.02, 1, .argument = "Q", .commands = ENGINE, .methods = " melt ",
     .help = "melt: share of the users and items that counts as tail."},
    {"melt-lmax", 0, OPTION_INT, "50", 1, 100000, .argument = "N", .commands = ENGINE, .methods = " melt ",
     .help = "melt: history length from which on all are equally long for its curriculum."},
    {"melt-beta", 0, OPTION_REAL, "1", 0, 1e3, .argument = "X", .commands = ENGINE, .methods = " melt ",
     .help = "melt: how much of the history's own vector stays beside the mapped one."},
    {"melt-gamma", 0, OPTION_REAL, "0", 0, 1e3, .argument = "X", .commands = ENGINE, .methods = " melt ",
     .help = "melt: how much of a rare item's vector stays when it is replaced before an epoch."},
    {"melt-update", 0, OPTION_CHOICE, "yes", .choices = "yes|no", .commands = ENGINE, .methods = " melt ",
     .help = "melt: replace rare items' vectors before every epoch."},
    {"melt-user-map", 0, OPTION_CHOICE, "yes", .choices = "yes|no", .commands = ENGINE, .methods = " melt ",
     .help = "melt: map the vectors of users with short histories."},
    {"rlmrec-align", 0, OPTION_CHOICE, "cosine", .choices = "cosine|infonce|gen", .commands = ENGINE,
     .methods = " rlmrec ", .help = "rlmrec: item vectors point where their text does, contrasted with others, or reversed."},
    {"rlmrec-beta", 0, OPTION_REAL, NULL, 0, 1e3, .argument = "X", .commands = ENGINE, .methods = " rlmrec ",
     .help = "rlmrec: weight of that term. Without it, 0.1; 0.01 for infonce."},
    {"rlmrec-tau", 0, OPTION_REAL, "0.2", 1e-3, 1e3, .argument = "T", .commands = ENGINE, .methods = " rlmrec ",
     .help = "rlmrec: temperature of infonce."},
    {"rlmrec-hidden", 0, OPTION_INT, NULL, 1, 65536, .argument = "N", .commands = ENGINE, .methods = " rlmrec ",
     .help = "rlmrec: width between the projector's layers. Without it, half of what goes in and comes out."},
    {"rlmrec-items", 0, OPTION_CHOICE, "batch", .choices = "batch|all", .commands = ENGINE, .methods = " rlmrec ",
     .help = "rlmrec: the positives of the batch, or the whole catalogue in every step."},
    {"llminit-mode", 0, OPTION_CHOICE, "projector", .choices = "projector|pca", .commands = ENGINE,
     .methods = " llminit ", .help = "llminit: a wide table and a linear layer, or a table of principal components."},
    {"alphafuse-null", 0, OPTION_INT, NULL, 1, 8192, .argument = "N", .commands = ENGINE, .methods = " alphafuse ",
     .help = "alphafuse: coordinates, out of --hidden, where an item has a trained vector; half of them without it."},
    {"alphafuse-init", 0, OPTION_CHOICE, "zeros", .choices = "zeros|normal", .commands = ENGINE,
     .methods = " alphafuse ", .help = "alphafuse: start of the trained vectors."},
    {"alphafuse-fuse", 0, OPTION_CHOICE, "add", .choices = "add|concat", .commands = ENGINE,
     .methods = " alphafuse ", .help = "alphafuse: they are added to the text's coordinates, or take their place."},
    {"alphafuse-standardize", 0, OPTION_CHOICE, "yes", .choices = "yes|no", .commands = ENGINE,
     .methods = " alphafuse ", .help = "alphafuse: the text's coordinates have variance 1."},
    {"alphafuse-weight", 0, OPTION_CHOICE, "none", .choices = "none|popularity", .commands = ENGINE,
     .methods = " alphafuse ", .help = "alphafuse: items count alike for the text's components, or as often as they were chosen."},
    {"alphafuse-loss", 0, OPTION_CHOICE, "rank", .choices = "rank|infonce", .commands = ENGINE,
     .methods = " alphafuse ", .help = "alphafuse: --loss, or the authors' own: softmax of cosines, the target among negatives."},
    {"alphafuse-negatives", 0, OPTION_INT, "64", 1, 1e6, .argument = "N", .commands = ENGINE, .methods = " alphafuse ",
     .help = "alphafuse: negatives of infonce for each target."},
    {"alphafuse-tau", 0, OPTION_REAL, "0.07", 1e-3, 1e3, .argument = "T", .commands = ENGINE, .methods = " alphafuse ",
     .help = "alphafuse: temperature of infonce."},
    {"input-scale", 0, OPTION_CHOICE, "none", .choices = "none|sqrt", .commands = ENGINE, .methods = " alphafuse ",
     .help = "alphafuse: what sasrec and bert4rec multiply item vectors with before places are added; sqrt as the others."},

    /* train alone */
    {"epochs", 0, OPTION_INT, "50", 1, 100000, .argument = "N", .commands = TRAIN,
     .help = "At most so many passes over the users."},
    {"items", 0, OPTION_TEXT, NULL, .argument = "NAME", .commands = " train sweep ", .rule = RULE_NAME,
     .help = "The item matrix that fuse --out NAME made, instead of the workspace's own."},
    {"patience", 0, OPTION_INT, "20", 0, 100000, .argument = "N", .commands = " train sweep ",
     .help = "Stop after so many epochs without a better validation NDCG@10; 0 never."},
    {"valid-protocol", 0, OPTION_CHOICE, "sampled", .choices = "sampled|full", .commands = TRAIN,
     .help = "Protocol that picks the best epoch."},
    {"run", 0, OPTION_TEXT, NULL, .argument = "NAME", .commands = " train recommend similar export serve ", .rule = RULE_NAME,
     .help = "Name of the run."},
    {"resume", 0, OPTION_FLAG, "no", .commands = " train ",
     .help = "Go on from the last checkpoint of an interrupted run."},
    {"checkpoint-every", 0, OPTION_INT, "1", 1, 100000, .argument = "EPOCHS", .commands = TRAIN,
     .help = "Epochs between two checkpoints."},
    {"knn-neighbours", 0, OPTION_INT, "100", 1, 1e6, .argument = "N", .commands = TRAIN, .methods = " itemknn ",
     .help = "itemknn: neighbours kept for each item."},
    {"knn-shrinkage", 0, OPTION_REAL, "0", 0, 1e9, .argument = "X", .commands = TRAIN, .methods = " itemknn ",
     .help = "itemknn: added to the denominator of the cosine, against rare items."},
    {"ease-lambda", 0, OPTION_REAL, "250", 1e-6, 1e12, .argument = "X", .commands = TRAIN, .methods = " ease ",
     .help = "ease: ridge penalty."},
    {"pop-window", 0, OPTION_REAL, "0", 0, 36500, .argument = "DAYS", .commands = TRAIN, .methods = " pop ",
     .help = "pop: count only the last days of the training log; 0 all of it."},

    {"llmemb-alpha", 0, OPTION_REAL, "0.01", 0, 1e3, .argument = "X", .commands = ENGINE, .methods = " llmemb ",
     .help = "llmemb: weight of the alignment with the base run's item vectors."},
    {"llmemb-tau", 0, OPTION_REAL, "2", 1e-6, 1e6, .argument = "X", .commands = ENGINE, .methods = " llmemb ",
     .help = "llmemb: temperature of the alignment."},
    {"llmemb-align", 0, OPTION_CHOICE, "soft", .choices = "soft|infonce", .commands = ENGINE, .methods = " llmemb ",
     .help = "llmemb: soft labels, or each item its own only (cosine)."},
    {"scft-adapter", 0, OPTION_TEXT, NULL, .argument = "FILE.safetensors", .commands = TRAIN, .methods = " llmemb ",
     .help = "llmemb: adapters of --model tuned elsewhere (LoRA pairs, our names or PEFT's); nothing is tuned here."},
    {"scft-steps", 0, OPTION_INT, "4000", 0, 1e9, .argument = "N", .commands = TRAIN, .methods = " llmemb ",
     .help = "llmemb: steps of fine-tuning --model; 0 takes the model as it is."},
    {"scft-batch", 0, OPTION_INT, "64", 1, 4096, .argument = "ITEMS", .commands = TRAIN, .methods = " llmemb ",
     .help = "llmemb: items in a step of the fine-tuning, two texts each."},
    {"scft-lr", 0, OPTION_REAL, "2e-4", 1e-12, 10, .argument = "X", .commands = TRAIN, .methods = " llmemb ",
     .help = "llmemb: learning rate of the fine-tuning at its start; it falls to 0."},
    {"scft-rank", 0, OPTION_INT, "8", 1, 4096, .argument = "N", .commands = TRAIN, .methods = " llmemb ",
     .help = "llmemb: rank of the adapters."},
    {"scft-lora-alpha", 0, OPTION_REAL, "32", 1e-6, 1e6, .argument = "X", .commands = TRAIN, .methods = " llmemb ",
     .help = "llmemb: what an adapter adds is scaled by this over the rank."},
    {"scft-lora-dropout", 0, OPTION_REAL, "0.1", 0, 0.99, .argument = "P", .commands = TRAIN, .methods = " llmemb ",
     .help = "llmemb: share of an adapter's input dropped while it is tuned."},
    {"scft-drop", 0, OPTION_REAL, "0.4", 0, 1, .argument = "SHARE", .commands = TRAIN, .methods = " llmemb ",
     .help = "llmemb: share of its attributes that a text of an item lacks while tuning."},
    {"scft-tau", 0, OPTION_REAL, "3", 1e-3, 1e6, .argument = "X", .commands = TRAIN, .methods = " llmemb ",
     .help = "llmemb: temperature of the fine-tuning at its start; it is learnt."},
    {"scft-loss", 0, OPTION_CHOICE, "soft", .choices = "soft|infonce", .commands = TRAIN, .methods = " llmemb ",
     .help = "llmemb: loss of the fine-tuning, as --llmemb-align."},
    {"scft-pool", 0, OPTION_CHOICE, "mean", .choices = "mean|last", .commands = TRAIN, .methods = " llmemb ",
     .help = "llmemb: a text's vector is the mean of its states, or the last one."},
    {"scft-resample", 0, OPTION_CHOICE, "visit", .choices = "visit|once", .commands = TRAIN, .methods = " llmemb ",
     .help = "llmemb: an item's texts are drawn anew at every visit, or once."},

    /* evaluate, compare */
    {"run", 0, OPTION_LIST, NULL, .argument = "NAME", .commands = " evaluate compare analyze ", .rule = RULE_NAME,
     .help = "Name of a run; give it several times for several runs."},
    {"protocol", 0, OPTION_CHOICE, "both", .choices = "sampled|full|both", .commands = " evaluate compare ",
     .help = "Rank the target among 100 stored negatives, or among all items the user has not touched."},
    {"part", 0, OPTION_CHOICE, "test", .choices = "test|valid", .commands = " evaluate compare export ",
     .help = "Which held-out interactions."},
    {"groups", 0, OPTION_FLAG, "no", .commands = " evaluate ",
     .help = "Also by length of the history and by popularity of the target."},
    {"user-thresholds", 0, OPTION_LIST, NULL, 1, 1e9, .argument = "N...", .commands = " evaluate analyze report ",
     .rule = RULE_COUNT, .help = "Of the groups: history lengths at which user groups begin, ascending."},
    {"item-thresholds", 0, OPTION_LIST, NULL, 1, 1e9, .argument = "N...", .commands = " evaluate analyze report ",
     .rule = RULE_COUNT, .help = "Of the groups: interaction counts at which item groups begin, ascending."},
    {"head-share", 0, OPTION_REAL, "0.2", 0.001, 0.999, .argument = "SHARE", .commands = " evaluate analyze report ",
     .help = "Of the groups: share of the items that counts as the popular head."},

    /* recommend, similar */
    {"user", 0, OPTION_LIST, NULL, .argument = "ID...", .commands = " recommend ",
     .help = "Users of the log, by their names there."},
    {"history", 0, OPTION_LIST, NULL, .argument = "ITEM...", .commands = " recommend ",
     .help = "Instead of --user: items in the order they were chosen."},
    {"item", 0, OPTION_TEXT, NULL, .argument = "ID", .commands = " similar ",
     .help = "The item, by its name in the log."},
    {"k", 'k', OPTION_INT, "10", 1, 1e6, .argument = "N", .commands = " recommend similar bench ",
     .help = "Length of the list."},
    {"explain", 0, OPTION_FLAG, "no", .commands = " recommend ",
     .help = "Also the archetype of each recommendation, and the item of the history that is nearest to it."},
    {"allow", 0, OPTION_LIST, NULL, .argument = "ITEM...", .commands = " recommend ",
     .help = "Recommend these items only."},
    {"deny", 0, OPTION_LIST, NULL, .argument = "ITEM...", .commands = " recommend ",
     .help = "Never recommend these items."},

    /* sweep */
    {"grid", 0, OPTION_LIST, NULL, .argument = "NAME=V1,V2,...", .commands = " sweep ",
     .help = "An option of train and the values it takes; several times for all combinations."},
    {"name", 0, OPTION_TEXT, "sweep", .argument = "NAME", .commands = " sweep ", .rule = RULE_NAME,
     .help = "Name of the file of results, sweeps/NAME.json in the workspace; the best point's run is NAME.0001 or the like."},
    {"halving", 0, OPTION_INT, NULL, 2, 100, .argument = "N", .commands = " sweep ",
     .help = "Give all points few epochs, the better 1/N of them N times as many, and so on to --epochs; without it every "
             "point gets them all."},
    {"keep", 0, OPTION_CHOICE, "best", .choices = "best|all", .commands = " sweep ",
     .help = "Which points' runs stay in the workspace."},
    {"yes", 0, OPTION_FLAG, "no", .commands = " sweep ", .help = "Start a grid of more than 200 points."},

    /* reproduce */
    {"target", 0, OPTION_CHOICE, NULL, .choices = "table2|table3|table4|table5|table6|fig2|fig4|fig5", .commands = " reproduce ",
     .positional = true, .help = "What to make."},
    {"seeds", 0, OPTION_INT, "3", 1, 100, .argument = "N", .commands = " reproduce ",
     .help = "Runs of each model in tables 2, 3 and 4, with seeds from --seed on."},
    {"items", 0, OPTION_LIST, NULL, .argument = "NAME...", .commands = " reproduce ", .rule = RULE_NAME,
     .help = "table4: the item matrices that fuse --out NAME made, one for each language model; the first is compared with."},
    {"paper", 0, OPTION_CHOICE, "auto", .choices = "auto|yelp|beauty|fashion|none", .commands = " reproduce ",
     .help = "Whose numbers stand beside ours; auto: the data set that has as many users and items, else none."},
    {"patience", 0, OPTION_INT, "5", 0, 100000, .argument = "N", .commands = " reproduce ",
     .help = "As in train, where it is 20: nine methods on three backbones take a while."},

    /* export */
    {"what", 0, OPTION_CHOICE, NULL, .choices = "ranks|lists|items|recbole", .commands = " export ",
     .help = "ranks: of each user's target, TSV; lists: each user's ten best, TSV; items: the run's item vectors, .npy with "
             "the ids beside it; recbole: interactions and items as atomic files."},
    {"protocol", 0, OPTION_CHOICE, "full", .choices = "sampled|full", .commands = " export ",
     .help = "Of the ranks: among 100 stored negatives, or among all items the user has not touched."},
    {"out", 0, OPTION_TEXT, NULL, .argument = "FILE|DIR", .commands = " export ",
     .help = "File to write; for recbole a directory, which names the files."},

    /* report */
    {"out", 0, OPTION_TEXT, NULL, .argument = "FILE.html", .commands = " report ",
     .help = "Page to write; report.html in the workspace otherwise."},

    /* analyze */
    {"points", 0, OPTION_INT, "10000", 1, 1e6, .argument = "N", .commands = " analyze ",
     .help = "Vectors on the t-SNE map at most; of more items, so many are drawn with the seed."},
    {"perplexity", 0, OPTION_REAL, "30", 1, 1000, .argument = "X", .commands = " analyze ",
     .help = "About how many neighbours a vector has on the t-SNE map."},

    /* serve */
    {"listen", 0, OPTION_TEXT, "127.0.0.1:8080", .argument = "ADDRESS:PORT", .commands = " serve ",
     .help = "Where to listen; port 0 takes one that is free."},
    {"store", 0, OPTION_TEXT, NULL, .argument = "sqlite:FILE|postgresql://...", .commands = " serve ",
     .help = "Where events are kept; events.sqlite in the workspace otherwise. Several servers may share one PostgreSQL database."},
    {"token-file", 0, OPTION_TEXT, NULL, .argument = "FILE", .commands = " serve ",
     .help = "Requests must carry the token in this file: Authorization: Bearer TOKEN."},
    {"no-token", 0, OPTION_FLAG, "no", .commands = " serve ",
     .help = "Listen on a public address without a token; something else guards it."},
    {"access-log", 0, OPTION_TEXT, NULL, .argument = "FILE", .commands = " serve ",
     .help = "Append a JSON object for each request to this file."},
    {"max-connections", 0, OPTION_INT, "512", 1, 30000, .argument = "N", .commands = " serve ",
     .help = "Connections at the same time; each has a thread."},
    {"timeout", 0, OPTION_INT, "30", 1, 3600, .argument = "SECONDS", .commands = " serve ",
     .help = "Time for a request to arrive, and for a connection to stay silent."},

    /* inspect, bench */
    {"path", 0, OPTION_TEXT, NULL, .argument = "FILE|DIR", .commands = " inspect ", .positional = true,
     .help = "File or workspace to look into."},
    {"what", 0, OPTION_CHOICE, NULL, .choices = "train|eval|lm|topk", .commands = " bench ", .positional = true,
     .help = "What to measure."},
    {"prompt-tokens", 0, OPTION_INT, "128", 1, 16384, .argument = "N", .commands = " bench ",
     .help = "lm: tokens of a prompt."},
    {"sequences", 0, OPTION_INT, "32", 1, 1024, .argument = "N", .commands = " bench ",
     .help = "lm: prompts answered at the same time."},
    {"new-tokens", 0, OPTION_INT, "64", 1, 16384, .argument = "N", .commands = " bench ",
     .help = "lm: tokens of an answer."},
    {"model-out", 0, OPTION_TEXT, NULL, .argument = "FILE", .commands = " bench ",
     .help = "lm: also write the model of random weights that is measured, as GGUF; archetype takes it."},
    {"items", 0, OPTION_INT, "1000000", 1000, 1e8, .argument = "N", .commands = " bench ",
     .help = "topk: items of the catalogue."},
    {"rate", 0, OPTION_REAL, "50", 0.1, 1e5, .argument = "N", .commands = " bench ",
     .help = "topk: requests a second."},
    {"load-seconds", 0, OPTION_INT, "10", 1, 3600, .argument = "N", .commands = " bench ",
     .help = "topk: how long they arrive."},
    {"data-scale", 0, OPTION_INT, "1", 1, 1024, .argument = "N", .commands = " bench ",
     .help = "Repeat the users so many times, to see how time grows with data."},
};
// clang-format on

const struct command_spec *commands_table(size_t *n) {
    *n = COUNT(commands);
    return commands;
}

const struct option_spec *options_table(size_t *n) {
    *n = COUNT(table);
    return table;
}

/* " train bench " holds "train" between two spaces. */
static bool holds(const char *words, const char *word) {
    const size_t n = strlen(word);
    for (const char *p = strstr(words, word); p; p = strstr(p + 1, word))
        if (p > words && p[-1] == ' ' && p[n] == ' ') return true;
    return false;
}

bool option_applies(const struct option_spec *spec, const char *command) {
    return strcmp(spec->commands, "*") == 0 || holds(spec->commands, command);
}

bool option_of_method(const struct option_spec *spec, const char *method) {
    return !spec->methods || holds(spec->methods, method);
}

const struct option_spec *option_find(const char *command, const char *name) {
    for (size_t i = 0; i < COUNT(table); i++)
        if (strcmp(table[i].name, name) == 0 && option_applies(&table[i], command))
            return &table[i];
    return NULL;
}
