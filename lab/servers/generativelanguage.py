"""generativelanguage.googleapis.com over gRPC: answers of GenerativeService whole and in pieces."""

from google.ai.generativelanguage_v1beta import GenerateContentResponse

from .grpc import frame
from .http import Reply, not_found
from .text import ANSWER, words

SERVICE = "/google.ai.generativelanguage.v1beta.GenerativeService"


def handle(request):
    routes = {f"{SERVICE}/GenerateContent": [ANSWER], f"{SERVICE}/StreamGenerateContent": words()}
    texts = routes.get(request.path)
    if texts is None:
        return not_found()
    pieces = [frame(response(text)) for text in texts]
    return Reply(content_type="application/grpc", pieces=pieces, trailers={"grpc-status": "0"})


def response(text):
    content = {"role": "model", "parts": [{"text": text}]}
    candidate = {"index": 0, "content": content}
    value = {"candidates": [candidate], "model_version": "gemini-2.5-flash"}
    return GenerateContentResponse.serialize(GenerateContentResponse(value))
