// A refusal of Auth, with the answer that tells it as the platform does.
export class AuthRefusal extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }

  get response(): Response {
    const { status, code, message } = this;
    return Response.json({ code: status, error_code: code, msg: message }, { status });
  }
}
