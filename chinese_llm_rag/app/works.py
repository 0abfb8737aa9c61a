"""What works behind the controller, joined. To import this module takes a second or two."""

from chinese_llm_rag.app.answering import Answering
from chinese_llm_rag.app.bases import Bases
from chinese_llm_rag.app.embedders import Embedders
from chinese_llm_rag.app.engine import Engine
from chinese_llm_rag.app.jobs import Jobs
from chinese_llm_rag.app.library import Library
from chinese_llm_rag.app.limits import Limits
from chinese_llm_rag.app.pictures import Pictures
from chinese_llm_rag.app.summaries import Summaries
from chinese_llm_rag.app.writer import Writer
from chinese_llm_rag.settings import Settings


class Works:
    """Bases, writer, library, engine, answering, pictures, and what they share."""

    def __init__(self, settings: Settings, limits: Limits, jobs: Jobs) -> None:
        embedders = Embedders(settings)
        self.bases = Bases(settings, embedders)
        self.writer = Writer(self.bases)
        self.library = Library(self.bases, self.writer, jobs)
        self.engine = Engine()
        self.answering = Answering(self.bases, embedders, limits)
        self.summaries = Summaries(self.bases, self.answering, jobs, self.engine)
        self.pictures = Pictures()

    def stop(self) -> None:
        """End all answers at once; short, for a signal's handler."""
        self.engine.stop()

    def close(self) -> None:
        """End answers and jobs, and let go of everything."""
        self.engine.close()
        self.writer.close()
        self.pictures.close()
        self.answering.model.free()
        self.bases.close()
