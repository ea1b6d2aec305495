"""The marks of a picture with a face that we made: a note for people, and what programs read (XMP, after IPTC).

A node can only write into what its own run was given: not when its result comes from the cache, and not for scripts that
send the prompt alone. The server's hook sees each prompt before it is queued. What it leaves there shows itself to those
nodes only that get a face we made: a prompt may save other pictures too.
"""

from .made import gets_made_face, receivers, running_node

KEY = "diffsfsr"
NOTE = {
    "generated": "A face in this picture was painted by a diffusion model (DiffSFSR). It shows no real event.",
    "software": "ComfyUI-DiffSFSR",
}
# IPTC NewsCodes, Digital Source Type: a picture of which a part was made by a trained model
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}" xmp:CreatorTool="{NOTE["software"]}">
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{NOTE["generated"]}</rdf:li></rdf:Alt></dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


class NotedInfo(dict):
    """extra_pnginfo of one prompt with our note in it, hidden from nodes that get no face of ours.

    The host hands the same object to every node of the prompt; which of them asks, it says in its execution context.
    Outside of a node (the history, a thread of its own) the note is there.
    """

    def __init__(self, info: dict, prompt: dict):
        super().__init__({**info, KEY: NOTE})
        self.prompt = prompt

    def _seen(self) -> dict:
        seen, ident = dict(super().items()), running_node()
        if ident is not None and not gets_made_face(self.prompt, ident):
            seen.pop(KEY, None)
        return seen

    def __iter__(self):
        return iter(self._seen())

    def __len__(self):
        return len(self._seen())

    def __contains__(self, key):
        return key in self._seen()

    def __getitem__(self, key):
        return self._seen()[key]

    def get(self, key, default=None):
        return self._seen().get(key, default)

    def keys(self):
        return self._seen().keys()

    def values(self):
        return self._seen().values()

    def items(self):
        return self._seen().items()

    def copy(self):
        return self._seen()


def add_note(request: dict) -> dict:
    """POST /prompt as it came -> with our note in extra_pnginfo, for the nodes that get a face we made."""
    prompt = request.get("prompt")
    if isinstance(prompt, dict) and receivers(prompt):
        extra = request.setdefault("extra_data", {})
        extra["extra_pnginfo"] = NotedInfo(extra.get("extra_pnginfo") or {}, prompt)
    return request


def register() -> None:
    from server import PromptServer  # only where there is a server: it is slow to import

    server = getattr(PromptServer, "instance", None)
    if server is not None and add_note not in server.on_prompt_handlers:
        server.add_on_prompt_handler(add_note)
