# SPDX-License-Identifier: Apache-2.0
"""Recommendations from an opened run, vectors without copies, fit and recommend."""
import copy
import gc
import json
import os
import pickle
import signal
import threading
import warnings

import genair
import shop
from shop import SMALL, needs_numpy, numpy


class Opened(shop.ShopCase):
    def setUp(self):
        self.run_ = self.ws.open("base")
        self.items = self.run_.items

    def test_lists_are_those_of_the_command_line(self):
        history = self.items[:3]
        printed = json.loads(self.command("recommend", "-q", "--json", "-w", self.ws.path, "--run", "base", "-k", 5, "--explain",
                                          "--history", *history))
        self.assertEqual(self.run_.recommend(history, k=5, explain=True), printed["items"])
        self.assertEqual(self.ws.recommend(history, run="base", k=5), self.run_.recommend(history, k=5))
        printed = json.loads(self.command("similar", "-q", "--json", "-w", self.ws.path, "--run", "base", "-k", 4, "--item",
                                          history[0]))
        self.assertEqual(self.run_.similar(history[0], 4), printed["items"])

    def test_users_histories_and_filters(self):
        with open(self.log) as log:
            next(log)
            user = next(log).split("\t")[0]
        one = self.run_.recommend(user=user, k=3)
        self.assertEqual(self.run_.recommend(users=[user, user], k=3), [one, one])
        self.assertEqual(self.run_.recommend(users=[]), [])
        both = self.run_.recommend([self.items[:2], self.items[2:3]], k=3)
        self.assertEqual(both[1], self.run_.recommend(self.items[2:3], k=3))
        self.assertEqual(len(self.run_.recommend([], k=3)), 3)
        first = both[0][0]["item"]
        self.assertNotIn(first, [i["item"] for i in self.run_.recommend(self.items[:2], deny=[first])])
        self.assertEqual([i["item"] for i in self.run_.recommend(self.items[:2], allow=[first])], [first])

    def test_what_cannot_be_asked(self):
        for wrong in ({}, {"history": self.items[:1], "user": "u"}):
            with self.assertRaises(genair.UsageError):
                self.run_.recommend(**wrong)
        for wrong in ({"history": "i5"}, {"history": b"i5"}, {"history": [["i5"], "i5"]}, {"users": "u1"}, {"user": "u1", "deny": "i5"},
                      {"history": self.items[:1], "allow": "i5"}, {"history": self.items[:1], "allow": b"i5"}):
            with self.assertRaises(TypeError, msg=str(wrong)):
                self.run_.recommend(**wrong)
        with self.assertRaisesRegex(genair.UsageError, "no item"):
            self.run_.recommend(["no such item"])
        with self.assertRaises(genair.UsageError):
            self.run_.recommend(self.items[:1], k=0)
        with self.assertRaises(genair.UsageError):
            self.ws.recommend(self.items[:1], run="none")
        closed = genair.Run(self.ws.path, "base")
        closed.close()
        with self.assertRaisesRegex(genair.UsageError, "closed"):
            closed.recommend(self.items[:1])

    def test_what_train_returns_can_be_asked(self):
        trained = genair.Workspace(self.ws.path, threads=1).train(backbone="sasrec", method="base", **SMALL)
        self.assertEqual((trained["method"], trained["run"]), ("base", "model"))
        history = self.items[:3]
        self.assertEqual(trained.recommend(history, k=5), self.ws.recommend(history, run="model", k=5))
        self.assertEqual(trained.similar(history[0], 3), self.ws.similar(history[0], 3, run="model"))

    def test_the_run_asked_is_the_one_trained_last_here(self):
        ws, history = genair.Workspace(self.ws.path, threads=1), self.items[:3]
        newest = ws.runs()[-1]
        self.assertNotEqual(newest, "base")
        self.assertEqual(ws.open().name, newest)
        ws.train("base", method="base", **SMALL)  # nothing to do, but asked for
        self.assertEqual(ws.recommend(history), self.ws.recommend(history, run="base"))

    def test_a_workspace_can_be_copied(self):
        self.ws.recommend(self.items[:1], run="base")
        for again in (copy.deepcopy(self.ws), pickle.loads(pickle.dumps(self.ws))):
            self.assertEqual(again.recommend(self.items[:1], run="base"), self.ws.recommend(self.items[:1], run="base"))

    def test_a_forked_process_ends(self):
        run = genair.Run(self.ws.path, "base", threads=3)
        expected = self.run_.recommend(self.items[:2])
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(20)
                run.close()
                os._exit(0 if self.run_.recommend(self.items[:2]) == expected else 1)
            finally:
                os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_ids_are_text_or_numbers(self):
        first = self.items[0]
        self.assertEqual(self.run_.recommend([first.encode()]), self.run_.recommend([first]))
        for wrong in ([None], [("u", 1)]):
            with self.assertRaises(TypeError):
                self.run_.recommend([first, *wrong])

    def test_an_index_can_be_asked_for(self):
        history = self.items[:3]
        for asked in ({"index": "exact"}, {"index": "approximate", "probe": 4}):
            try:
                with genair.Run(self.ws.path, "base", **asked) as run:
                    self.assertEqual(run.recommend(history, k=5), self.run_.recommend(history, k=5))  # so few need none
            except genair.UsageError as e:
                self.assertIn("built without FAISS", str(e))
        for asked in ({"index": "none"}, {"probe": 0}):
            with self.assertRaises(genair.UsageError):
                genair.Run(self.ws.path, "base", **asked)

    def test_many_threads_ask_at_once(self):
        expected = self.run_.recommend(self.items[:3])
        found = []
        threads = [threading.Thread(target=lambda: found.extend(self.run_.recommend(self.items[:3]) for _ in range(20)))
                   for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(found, [expected] * 80)

    def test_nothing_allowed_is_refused(self):
        with self.assertRaises(genair.UsageError):
            self.run_.recommend(self.items[:3], allow=[])
        self.assertEqual(self.run_.recommend(self.items[:3], deny=[]), self.run_.recommend(self.items[:3]))

    @needs_numpy
    def test_ids_in_arrays(self):
        import numpy
        some = numpy.array(self.items[:4])
        self.assertEqual(self.run_.recommend(some, allow=numpy.array(self.items[4:9]), k=3),
                         self.run_.recommend(self.items[:4], allow=self.items[4:9], k=3))
        self.assertEqual(self.run_.encode(some).tolist(), self.run_.encode(self.items[:4]).tolist())

    def test_a_run_trained_again_is_opened_again(self):
        history = self.items[:2]
        self.ws.train("again", method="base", seed=1, **SMALL)
        before = self.ws.recommend(history, run="again")
        self.ws.train("again", method="base", seed=2, **SMALL)
        self.assertNotEqual(self.ws.recommend(history, run="again"), before)

    @needs_numpy
    def test_vectors_are_the_librarys_memory(self):
        run = genair.Run(self.ws.path, "base")
        vectors = run.item_vectors
        self.assertEqual(vectors.shape, (len(self.items), SMALL["hidden"]))
        self.assertEqual(vectors.ctypes.data, run.item_vectors.ctypes.data)
        self.assertFalse(vectors.flags.writeable)
        history = self.items[3:6]
        scores = vectors @ run.encode(history)
        best = run.recommend(history, k=5)
        numpy.testing.assert_allclose([scores[self.items.index(i["item"])] for i in best], [i["score"] for i in best],
                                      rtol=1e-4, atol=1e-5)
        with self.assertRaises(TypeError):
            run.encode("i5")
        copy = vectors.copy()
        run.close()
        del run
        gc.collect()
        numpy.testing.assert_array_equal(vectors, copy)  # the array keeps the run
        with self.assertRaises(genair.UsageError):
            self.ws.open("pop").item_vectors
        with self.assertRaises(genair.UsageError):
            self.run_.encode([])


class Fit(shop.ShopCase):
    def test_fit_and_recommend(self):
        model = genair.Recommender(user_core=4, threads=1, **SMALL)
        self.assertEqual(model.get_params()["hidden"], SMALL["hidden"])
        with self.assertRaisesRegex(genair.UsageError, "fit comes first"):
            model.recommend(["x"])
        self.assertIs(model.fit(self.log, self.metadata), model)
        item = model.run_.items[0]
        self.assertEqual(len(model.recommend([item], k=4)), 4)
        self.assertEqual(len(model.similar(item, 4)), 4)
        self.assertEqual(model.train_result_["method"], "base")
        self.assertIn("test", str(model.evaluate()))
        again = model.__sklearn_clone__().set_params(hidden=8)
        self.assertEqual((again.params["hidden"], model.params["hidden"]), (8, 16))
        with self.assertRaises(TypeError):
            genair.Recommender(hiden=16)
        for copied in (pickle.dumps, copy.deepcopy):
            with self.assertRaisesRegex(genair.UsageError, "without a workspace"):
                copied(model)
        directory = model.workspace_.path
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            del model
            gc.collect()
        self.assertFalse(directory.exists())

    @needs_numpy
    def test_fit_with_vectors(self):
        model = genair.Recommender(self.scratch / "kept", components=8, threads=1, **SMALL)
        model.fit(self.log, self.metadata, prefill=numpy.load(self.shop / "prefill.npy"), ids=self.shop / "vectors.ids")
        self.assertEqual(model.train_result_["method"], "genair")
        self.assertEqual(genair.Workspace(self.scratch / "kept").runs(), ["model"])
        again = pickle.loads(pickle.dumps(model))
        self.assertEqual(again.recommend(model.run_.items[:2]), model.recommend(model.run_.items[:2]))


if __name__ == "__main__":
    shop.main()
