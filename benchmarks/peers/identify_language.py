"""What an identifier alone says about texts: ``identify_language.py IDENTIFIER TEXTS [MODEL]``.

IDENTIFIER: a key of ``IDENTIFIERS``, used as its documentation shows; MODEL: path of the model that lid.176 needs. TEXTS: one
JSON string a line. The last line says the code it gives for each text, empty for none, and the processor time without loading.
"""

import json
import sys
import time


def py3langid():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return lambda text: identifier.classify(text)[0]


def cld2():
    import pycld2

    def identify(text):
        # It refuses control characters, which pages have.
        printable = "".join(character for character in text if character.isprintable() or character in "\n\t")
        return pycld2.detect(printable, bestEffort=True)[2][0][1]

    return identify


def cld3():
    import gcld3

    identifier = gcld3.NNetLanguageIdentifier(min_num_bytes=0, max_num_bytes=1000)
    return lambda text: identifier.FindLanguage(text=text).language


def lid176(path):
    import fasttext

    model = fasttext.load_model(path)

    def identify(text):
        labels, _ = model.predict(" ".join(text.split()))
        return labels[0].removeprefix("__label__") if labels else ""

    return identify


def eld():
    from eld import LanguageDetector

    detector = LanguageDetector()
    return lambda text: detector.detect(text).language or ""


def lingua():
    from lingua import LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models().build()

    def identify(text):
        found = detector.detect_language_of(text)
        return found.iso_code_639_1.name.lower() if found else ""

    return identify


def resiliparse():
    from resiliparse.parse.lang import detect_fast

    return lambda text: detect_fast(text)[0]


IDENTIFIERS = {
    "py3langid": py3langid,
    "CLD2": cld2,
    "CLD3": cld3,
    "lid.176": lid176,
    "eld": eld,
    "lingua": lingua,
    "resiliparse": resiliparse,
}


def main():
    name, texts_file, *model = sys.argv[1:]
    with open(texts_file, encoding="utf-8") as lines:
        texts = [json.loads(line) for line in lines]
    identify = IDENTIFIERS[name](*model)
    identify("A first sentence, for what is only loaded when it is needed.")
    started = time.process_time()
    codes = [identify(text) for text in texts]
    print(json.dumps({"cpu_seconds": time.process_time() - started, "codes": codes}))


main()
