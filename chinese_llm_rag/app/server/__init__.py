"""The HTTP side: routes of OpenAI's API and of the knowledge bases, over the controller."""
